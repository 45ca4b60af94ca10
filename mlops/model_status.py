"""The model's own status, which a managed endpoint hides behind a 424."""

from __future__ import annotations

import re
from collections.abc import Mapping

HEADER = "ms-azureml-model-error-statuscode"


def model_status(status: int, headers: Mapping[str, str]) -> int:
    """``status``, unless it is a 424 that says which error the model gave."""
    said = headers.get(HEADER) or ""
    return int(said) if status == 424 and re.fullmatch("[3-5][0-9][0-9]", said) else status
