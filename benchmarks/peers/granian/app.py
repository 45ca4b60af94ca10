"""An upper bound for granian: one thread answers a constant as long as our answers."""

from collections.abc import Callable
from typing import Any

BODY = (
    b'{"predictions":[0],"metadata":{"model_name":"diabetes-classifier","model_version":"v1.2.3",'
    b'"deployment":"production","request_id":"1699564800123-42","inference_time_ms":0.12,'
    b'"timestamp":"2025-11-09T10:00:00.000Z","num_predictions":1,"cache":"off"}}'
)
HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))]


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", HEADERS)
    return [BODY]
