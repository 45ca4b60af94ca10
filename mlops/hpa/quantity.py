"""Kubernetes' quantities: ``500m``, ``1Gi``."""

from __future__ import annotations

import re
from decimal import Decimal

from azureml_scoring.errors import StartupError

SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{
        name: Decimal(1000) ** power
        for power, name in enumerate(("k", "M", "G", "T", "P", "E"), start=1)
    },
    **{
        name: Decimal(1024) ** power
        for power, name in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)
    },
}
QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([a-zA-Z]*))", re.ASCII)


def parse(given: object) -> Decimal:
    """Raises StartupError."""
    found = QUANTITY.fullmatch(str(given))
    if not found or (found[3] or "") not in SUFFIXES:
        raise StartupError(f"{given} is no quantity of Kubernetes; write it as 500m or 1Gi.")
    return Decimal(found[1] + (found[2] or "")) * SUFFIXES[found[3] or ""]
