"""Multiples of a server's capacity, such as ``0.5,0.9,1.2,2,5``."""

from __future__ import annotations

from azureml_scoring.quantities import Quantity

MULTIPLE = Quantity("times", "multiples of the capacity", 100, above=True)


def parse(text: str) -> list[float]:
    """Read multiples, and sort them. Raises ValueError, whose message says what to write."""
    try:
        return sorted({MULTIPLE.parse(part) for part in text.split(",")})
    except ValueError as error:
        raise ValueError(f"{error}, as 0.5,0.9,1.2,2,5.") from None
