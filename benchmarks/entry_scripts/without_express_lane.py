"""score.py, served by our worker without its express lane: each request takes uvicorn's way."""

import sys
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))

from azureml_scoring.http import worker
from azureml_scoring.http.connection import HttpConnection
from score import init, run  # noqa: F401  azmlinfsrv calls them

mock.patch.object(worker, "FrontProtocol", HttpConnection).start()  # fails if there is none
