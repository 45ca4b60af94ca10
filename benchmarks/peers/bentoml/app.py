"""A BentoML service with one worker, without the access log and traces that are on by default.

``MAX_CONCURRENCY``: how many requests it takes at once; more are refused.
"""

import os
from pathlib import Path
from typing import Any

import bentoml
import joblib
import numpy as np

limit = os.environ.get("MAX_CONCURRENCY")


@bentoml.service(
    workers=1,
    traffic={"max_concurrency": int(limit)} if limit else {},
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
