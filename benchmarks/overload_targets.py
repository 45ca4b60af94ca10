"""What the overload benchmark is to reach, as the worst of our models."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from overload_cells import Cell
from overload_models import MODELS, OURS
from overload_watch import Probe
from targets import Target

from mlops.load.goodput import percentile

OVER = (1.2, 2.0, 5.0)
"""Loads of the targets."""


@dataclass
class Results:
    """What was measured. ``cells``: by model and server. ``bentoml``: by model and
    ``max_concurrency``, goodput by limit in ms. ``slots``: by model and number of slots, capacity.
    ``batching``: g500 in units of capacity without it."""

    seconds: float
    minutes: float = 0.0
    cells: dict[str, dict[str, Cell]] = field(default_factory=dict)
    bentoml: dict[str, dict[int, dict[float, float]]] = field(default_factory=dict)
    slots: dict[str, dict[int, float]] = field(default_factory=dict)
    batching: float = math.nan
    many_connections: list[Probe] = field(default_factory=list)
    unusable: dict[str, str] = field(default_factory=dict)


def our_cells(results: Results) -> dict[str, Cell]:
    return {name: cells[OURS] for name, cells in results.cells.items() if OURS in cells}


def worst(
    results: Results,
    value: Callable[[str, Cell], float],
    choose: Callable[[Iterable[float]], float],
) -> float:
    """Return the worst value of our cells, NaN if there is none."""
    values = [value(name, cell) for name, cell in our_cells(results).items()]
    return choose([it for it in values if not math.isnan(it)] or [math.nan])


def least_goodput(name: str, cell: Cell) -> float:
    limit = MODELS[name].limit_ms
    return min(
        (cell.loads[load].within[limit] for load in OVER if load in cell.loads), default=math.nan
    )


def most_refusal_ms(figure: str) -> Callable[[str, Cell], float]:
    def most(_: str, cell: Cell) -> float:
        values = [getattr(cell.loads[load], figure) for load in OVER if load in cell.loads]
        return max((it for it in values if not math.isnan(it)), default=math.nan)

    return most


def _failed_probes(results: Results) -> float:
    probes = [probe for cell in our_cells(results).values() for probe in cell.probes]
    probes += results.many_connections
    return sum(not probe.is_fine for probe in probes) if probes else math.nan


def probes_p99(probes: list[Probe]) -> float:
    return percentile(np.array([probe.took_ms for probe in probes]), 99)


def _slots_ratio(results: Results) -> float:
    cells = our_cells(results)
    return min(
        (
            cells[name].capacity / max(fixed.values())
            for name, fixed in results.slots.items()
            if name in cells
        ),
        default=math.nan,
    )


def _forest_ratio(results: Results) -> float:
    cells = results.cells.get("forest", {})
    if not {OURS, "azmlinfsrv"} <= set(cells):
        return math.nan
    return cells[OURS].capacity / cells["azmlinfsrv"].capacity


TARGETS = (
    Target(
        "goodput at 1.2, 2 and 5 times, least of all models (within 200 ms; bimodal: 500 ms)",
        lambda results: worst(results, least_goodput, min),
        0.95,
    ),
    Target(
        "refused at 0.9 times, share",
        lambda results: worst(
            results,
            lambda _, cell: cell.loads[0.9].refused if 0.9 in cell.loads else math.nan,
            max,
        ),
        0.01,
        at_most=True,
    ),
    Target(
        "refusal P50, ms",
        lambda results: worst(results, most_refusal_ms("refusal_p50_ms"), max),
        5,
        at_most=True,
    ),
    Target(
        "refusal P99, ms",
        lambda results: worst(results, most_refusal_ms("refusal_p99_ms"), max),
        25,
        at_most=True,
    ),
    Target(
        "probes failed, also at 900 connections",
        _failed_probes,
        0,
        at_most=True,
    ),
    Target(
        "probe P99, ms, also at 900 connections",
        lambda results: max(
            worst(results, lambda _, cell: probes_p99(cell.probes), max),
            probes_p99(results.many_connections) if results.many_connections else -math.inf,
        ),
        100,
        at_most=True,
    ),
    Target(
        "recovery to normal latency, s",
        lambda results: worst(results, lambda _, cell: cell.recovery_s, max),
        0.6,
        at_most=True,
    ),
    Target(
        "memory under 5 times, MB more",
        lambda results: worst(results, lambda _, cell: cell.growth_mb, max),
        50,
        at_most=True,
    ),
    Target(
        "clients that leave at 500 ms: computed for one answered",
        lambda results: worst(results, lambda _, cell: cell.computed, max),
        1.1,
        at_most=True,
    ),
    Target(
        "clients that retry three times at once, at 2 times: within 500 ms",
        lambda results: worst(results, lambda _, cell: cell.retried_g500, min),
        0.95,
    ),
    Target(
        "micro-batching, 5 times: within 500 ms, in units of capacity without it",
        lambda results: results.batching,
        4.5,
    ),
    Target("slots chosen / the best fixed number, capacity", _slots_ratio, 0.9),
    Target("forest not compiled, ours / stock azmlinfsrv, capacity", _forest_ratio, 0.95),
)
