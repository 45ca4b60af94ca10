"""Front Door as its documents say: a probe's answer is healthy if it is exactly 200, requests go to
the healthy origins by their weights, and to all if none is healthy."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from mlops.rollout.front_door import Origin

SAMPLES, SUCCESSFUL = 4, 3
"""Of the last four probes three must succeed, as infrastructure/global/ sets it."""


class FrontDoorSplitter:
    """``health``: the status of a probe of each origin. ``weights`` holds each that was set."""

    def __init__(self, health: Mapping[str, Callable[[], int]], weight: int = 900) -> None:
        self._health = health
        self._origins = {name: Origin(weight) for name in health}
        self._probes = {name: deque([200] * SAMPLES, SAMPLES) for name in health}
        self._rng = random.Random(0)
        self.weights: list[tuple[str, int]] = []

    def origins(self) -> Mapping[str, Origin]:
        return dict(self._origins)

    def set_weight(self, origin: str, weight: int) -> None:
        self._origins[origin] = replace(self._origins[origin], weight=weight)
        self.weights.append((origin, weight))

    def disable(self, origin: str) -> None:
        self._origins[origin] = replace(self._origins[origin], enabled=False)

    def probe(self) -> None:
        """Probe each origin once."""
        for name, health in self._health.items():
            self._probes[name].append(health())

    def choose(self) -> str:
        """Return the origin of the next request."""
        enabled = [name for name, origin in self._origins.items() if origin.enabled]
        healthy = [name for name in enabled if self._probes[name].count(200) >= SUCCESSFUL]
        chosen = healthy or enabled
        weights = [self._origins[name].weight for name in chosen]
        return self._rng.choices(chosen, weights)[0]
