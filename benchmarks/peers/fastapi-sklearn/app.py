"""A FastAPI service as in its tutorial: a pydantic model, and a function that runs in a thread."""

import os
from pathlib import Path

import joblib
import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

model = joblib.load(Path(os.environ["MODEL_DIR"]) / "model.pkl")
app = FastAPI()


class Rows(BaseModel):
    data: list[list[float]]


@app.post("/score")
def score(rows: Rows) -> dict[str, list[int]]:
    return {"predictions": model.predict(np.array(rows.data)).tolist()}


@app.get("/liveness")
async def liveness() -> None:
    pass
