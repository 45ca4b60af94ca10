"""Our targets: each is a ratio within one run, with one worker and no cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Value = Callable[[str, str, int, str], float]
"""Returns a figure at four connections by (server, model, rows, figure).

Raises KeyError if it was not measured.
"""

PEERS = ("mlserver", "bentoml", "litserve", "fastapi-sklearn", "fastapi-onnx")
RATE, P99 = "requests_per_second", "p99_ms"


@dataclass(frozen=True)
class Target:
    what: str
    ratio: Callable[[Any], float]
    limit: float
    at_most: bool = False

    @property
    def bound(self) -> str:
        return f"at {'most' if self.at_most else 'least'} {self.limit:g}"

    def verdict(self, value: float) -> str:
        reached = value <= self.limit if self.at_most else value >= self.limit
        return "reached" if reached else "**not reached**"


def _over(ours: str, other: str, model: str, rows: int = 1) -> Callable[[Value], float]:
    return lambda value: value(ours, model, rows, RATE) / value(other, model, rows, RATE)


TARGETS = (
    Target(
        "ours / FastAPI + ONNX Runtime, one row", _over("fast", "fastapi-onnx", "logistic"), 2.5
    ),
    Target("ours / granian answering a constant", _over("fast", "granian", "logistic"), 0.5),
    Target("ours / MLServer, one row", _over("fast", "mlserver", "logistic"), 12),
    Target(
        "azmlinfsrv, ours / the guide's, logistic regression",
        _over("azmlinfsrv", "guide", "logistic"),
        4,
    ),
    Target("azmlinfsrv, ours / the guide's, forest", _over("azmlinfsrv", "guide", "forest"), 30),
    Target(
        "P99 of ours / the best peer's, one row",
        lambda value: (
            value("fast", "logistic", 1, P99)
            / min(value(peer, "logistic", 1, P99) for peer in PEERS)
        ),
        1.0,
        at_most=True,
    ),
    Target(
        "ours / the best peer, 100 rows",
        lambda value: (
            value("fast", "logistic", 100, RATE)
            / max(value(peer, "logistic", 100, RATE) for peer in PEERS)
        ),
        2,
    ),
)
