"""A FastAPI service as an expert writes it for speed: no pydantic, orjson both ways, ONNX Runtime
on one thread in the event loop.

It checks nothing, logs nothing and answers only the predictions. The graph is the one that
``mlops package`` made.
"""

import os
from pathlib import Path

import numpy as np
import onnxruntime
import orjson
from fastapi import FastAPI, Request, Response

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(
    Path(os.environ["MODEL_DIR"]) / "model.onnx", options, providers=["CPUExecutionProvider"]
)
X = session.get_inputs()[0]
LABEL = session.get_outputs()[0].name
DTYPE = np.float64 if X.type == "tensor(double)" else np.float32

app = FastAPI()


@app.post("/score")
async def score(request: Request) -> Response:
    rows = np.array(orjson.loads(await request.body())["data"], dtype=DTYPE)
    (labels,) = session.run([LABEL], {X.name: rows})
    return Response(
        orjson.dumps({"predictions": labels}, option=orjson.OPT_SERIALIZE_NUMPY),
        media_type="application/json",
    )


@app.get("/liveness")
async def liveness() -> Response:
    return Response()
