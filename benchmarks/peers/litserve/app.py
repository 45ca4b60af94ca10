"""A LitServe service: its API process, and one worker process with the model."""

import os
import sys
from pathlib import Path
from typing import Any

import joblib
import litserve
import numpy as np


class Score(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.model = joblib.load(Path(os.environ["MODEL_DIR"]) / "model.pkl")

    def decode_request(self, request: dict[str, Any]) -> np.ndarray:
        return np.array(request["data"])

    def predict(self, x: np.ndarray) -> np.ndarray:
        labels: np.ndarray = self.model.predict(x)
        return labels

    def encode_response(self, output: np.ndarray) -> dict[str, Any]:
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(
        Score(api_path="/score"), accelerator="cpu", workers_per_device=1, fast_queue=True
    )
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        num_api_servers=1,
        access_log=False,
        generate_client_file=False,
    )
