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


def parse(value: object) -> Decimal:
    """Return the number that a quantity stands for. Raises StartupError."""
    match = QUANTITY.fullmatch(str(value))
    if not match or (match[3] or "") not in SUFFIXES:
        raise StartupError(f"{value} is not a valid quantity; write it as 500m or 1Gi.")
    return Decimal(match[1] + (match[2] or "")) * SUFFIXES[match[3] or ""]
