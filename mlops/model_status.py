"""The model's own status, which a managed endpoint hides behind a 424."""

from __future__ import annotations

from collections.abc import Mapping

HEADER = "ms-azureml-model-error-statuscode"


def model_status(status: int, headers: Mapping[str, str]) -> int:
    said = headers.get(HEADER) or ""
    return int(said) if status == 424 and said.isdigit() else status
