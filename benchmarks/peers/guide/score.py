"""A Microsoft-style scoring script: ``init()`` loads a pickle with joblib, ``run()`` parses JSON
and calls ``predict``.

It joins the sketches of the guide that this project was built to, and adds nothing but the
DataFrame that a model of named columns needs.
"""

import json
import logging
import os
import time
from datetime import UTC, datetime
from typing import Any

import joblib
import numpy as np

logger = logging.getLogger(__name__)
model: Any = None
REQUEST_COUNT = 0


def init() -> None:
    global model  # noqa: PLW0603
    model = joblib.load(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model.pkl"))


def _validate_input(data: Any) -> bool:
    if data is None:
        raise ValueError("Request body is empty or None")
    if isinstance(data, str) and len(data) > 10_000_000:
        raise ValueError("Request payload too large (>10MB)")
    return True


def run(request_body: str) -> str:
    global REQUEST_COUNT  # noqa: PLW0603
    REQUEST_COUNT += 1
    start = time.time()
    request_id = f"{int(start * 1000)}-{REQUEST_COUNT}"
    _validate_input(request_body)
    document = json.loads(request_body)
    if "columns" in document:
        import pandas as pd  # only models of named columns pay for it

        inputs = pd.DataFrame(document["data"], columns=document["columns"])
    else:
        inputs = np.array(document["data"])
    predictions = model.predict(inputs).tolist()
    inference_duration = time.time() - start
    logger.info(f"Request {request_id} completed in {inference_duration * 1000:.2f}ms")
    metadata = {
        "model_name": os.getenv("MODEL_NAME", "diabetes-classifier"),
        "model_version": os.getenv("MODEL_VERSION", "v1.2.3"),
        "deployment": os.getenv("DEPLOYMENT_NAME", "production"),
        "request_id": request_id,
        "inference_time_ms": round(inference_duration * 1000, 2),
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "num_predictions": len(predictions),
    }
    return json.dumps({"predictions": predictions, "metadata": metadata})
