"""A BentoML service with one worker, without the access log and traces that are on by default."""

import os
from pathlib import Path
from typing import Any

import bentoml
import joblib
import numpy as np


@bentoml.service(
    workers=1,
    logging={"access": {"enabled": False}},
    tracing={"sample_rate": 0.0},
    metrics={"enabled": False},
)
class Score:
    def __init__(self) -> None:
        self.model = joblib.load(Path(os.environ["MODEL_DIR"]) / "model.pkl")

    @bentoml.api
    def score(self, data: np.ndarray) -> dict[str, Any]:
        return {"predictions": self.model.predict(data).tolist()}
