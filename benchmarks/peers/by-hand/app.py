"""A FastAPI service as an expert writes it for speed, for a file ``by_hand.*``: the booster's own
predictor without its wrapper, or ONNX Runtime, on one thread in the event loop.

It checks nothing, logs nothing and answers only the predictions.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from fastapi import FastAPI, Request, Response

Rows = list[list[Any]]
Predict = Callable[[Rows], Any]


def lightgbm(file: Path) -> Predict:
    from lightgbm import Booster

    booster = Booster(model_file=file)
    return lambda rows: (booster.predict(np.array(rows), num_threads=1) > 0.5).astype(int)


def xgboost(file: Path) -> Predict:
    from xgboost import Booster

    booster = Booster({"nthread": 1}, model_file=file)
    return lambda rows: (booster.inplace_predict(np.array(rows)) > 0.5).astype(int)


def catboost(file: Path) -> Predict:
    from catboost import CatBoost

    model = CatBoost().load_model(str(file))
    return lambda rows: model.predict(
        np.array(rows, dtype=np.float32), prediction_type="Class", thread_count=1
    )


def onnx(file: Path) -> Predict:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    label = [session.get_outputs()[0].name]
    inputs = session.get_inputs()
    if len(inputs) == 1 and inputs[0].type == "tensor(float)":
        return lambda rows: session.run(label, {inputs[0].name: np.array(rows, dtype=np.float32)})[
            0
        ]
    dtypes = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(string)": object}
    columns = [(X.name, dtypes[X.type]) for X in inputs]

    def predict(rows: Rows) -> Any:
        feeds = {
            name: np.array(values, dtype=dtype).reshape(-1, 1)
            for (name, dtype), values in zip(columns, zip(*rows, strict=True), strict=True)
        }
        return session.run(label, feeds)[0]

    return predict


LOADERS = {".txt": lightgbm, ".ubj": xgboost, ".cbm": catboost, ".onnx": onnx}
(FILE,) = Path(os.environ["MODEL_DIR"]).glob("by_hand.*")
predict = LOADERS[FILE.suffix](FILE)
app = FastAPI()


@app.post("/score")
async def score(request: Request) -> Response:
    predictions = predict(orjson.loads(await request.body())["data"])
    return Response(
        orjson.dumps({"predictions": predictions.tolist()}), media_type="application/json"
    )


@app.get("/liveness")
async def liveness() -> Response:
    return Response()
