"""The models of the overload benchmark: how each is made, asked and served."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from servers import BENCHMARKS, SERVERS, Server, request_of
from sklearn.ensemble import RandomForestClassifier

from models import Trained, diabetes, packaged

sys.path.append(str(BENCHMARKS / "estimators"))

import slow_models

OURS = "ours"
OVERLOAD_SERVERS = {
    OURS: SERVERS["fast"],
    "bentoml": SERVERS["bentoml"],
    "fastapi": SERVERS["fastapi-sklearn"],
    "fastapi-onnx": SERVERS["fastapi-onnx"],
    "azmlinfsrv": SERVERS["guide"],
    "mlserver": SERVERS["mlserver"],
}
PLAIN_PEERS = ("bentoml", "fastapi", "azmlinfsrv", "mlserver")
BODIES = 20
"""Different bodies of a model; one of them is heavy."""


@dataclass(frozen=True)
class OverloadModel:
    """A model to overload servers with. ``rows``: in each request. ``limit_ms``: of the goodput
    that its target is about. ``connections``: of the closed loop that measures capacity; more than
    a server needs would leave slow requests unanswered at its end, and so count too many quick
    ones. ``env``: settings of our server. ``peers``: who else serves it."""

    title: str
    estimator: Callable[[Any, Any], Any]
    rows: int = 1
    limit_ms: int = 200
    connections: int = 4
    env: dict[str, str] = field(default_factory=dict)
    peers: tuple[str, ...] = PLAIN_PEERS

    @property
    def counts_calls(self) -> bool:
        """True if the model counts its calls, as those of slow_models do."""
        return self.rows == 1


def _slow(make: Callable[[], slow_models.SlowModel]) -> Callable[[Any, Any], Any]:
    return lambda X, y: make().fit(X, y)


def _forest(trees: int) -> Callable[[Any, Any], Any]:
    return lambda X, y: RandomForestClassifier(trees, random_state=0, n_jobs=1).fit(X, y)


def _steps(seconds: float) -> int:
    # The work is measured over some milliseconds, so that a thousand steps are one unit of it.
    return 1000 * slow_models.work_for(
        seconds, lambda amount: slow_models.count_in_python(1000 * amount)
    )


def _products(seconds: float) -> int:
    return slow_models.work_for(seconds, slow_models.multiply)


MODELS = {
    "gil": OverloadModel(
        "50 ms that hold the GIL", _slow(lambda: slow_models.HoldsGil(_steps(0.05)))
    ),
    "free": OverloadModel(
        "50 ms that free the GIL", _slow(lambda: slow_models.FreesGil(_products(0.05)))
    ),
    "wait": OverloadModel(
        "100 ms of waiting", _slow(lambda: slow_models.Waits(0.1)), connections=64
    ),
    "bimodal": OverloadModel(
        "95 % 5 ms, 5 % 400 ms",
        _slow(lambda: slow_models.Bimodal(_products(0.005), _products(0.4))),
        limit_ms=500,
    ),
    "forest": OverloadModel(
        "forest of 400, not compiled, 100 rows",
        _forest(400),
        rows=100,
        env={"SCORING_BACKEND": "sklearn"},
    ),
    "compiled": OverloadModel(
        "forest of 600, compiled, 100 rows", _forest(600), rows=100, peers=("fastapi-onnx",)
    ),
}


def trained(name: str) -> Trained:
    """Make and package a model. Raises StartupError."""
    model = MODELS[name]
    X, y = diabetes() if model.rows > 1 else (_rows(), np.zeros(BODIES))
    return packaged(f"overload-{name}", model.estimator(X, y), X)


def _rows() -> np.ndarray:
    """Return as many rows as there are bodies; the first is heavy for a Bimodal model."""
    rows = np.random.default_rng(0).random((BODIES, 10)).round(4) * slow_models.HEAVY
    rows[0, 1] = 0.9
    return rows


def bodies(server: Server, model: OverloadModel, rows: list[list[float]]) -> list[str]:
    """Return different bodies with as many rows as the model's requests have."""
    if model.rows == 1:
        return [request_of(server, [row]).decode() for row in rows]
    starts = range(BODIES)
    return [
        request_of(server, (rows[start:] + rows[:start])[: model.rows]).decode() for start in starts
    ]


def served(name: str, model: OverloadModel, **env: str) -> Server:
    """Return the server ``name`` for this model, with ``env`` in its environment."""
    server = OVERLOAD_SERVERS[name]
    own = {"PYTHONPATH": "{repository}/benchmarks/estimators"}
    own |= model.env if name == OURS else {}
    return replace(server, env=server.env | own | env)
