"""The model's own HTTP status, which a managed endpoint replaces with 424."""

from __future__ import annotations

import re
from collections.abc import Mapping

STATUS_HEADER = "ms-azureml-model-error-statuscode"
REASON_HEADER = "ms-azureml-model-error-reason"


def model_status(status: int, headers: Mapping[str, str]) -> int:
    """Return the model's status from the header of a 424, or else ``status``."""
    original = headers.get(STATUS_HEADER) or ""
    return int(original) if status == 424 and re.fullmatch("[3-5][0-9][0-9]", original) else status
