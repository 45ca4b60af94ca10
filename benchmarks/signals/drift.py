"""How often drift is found where there is none, and where there is some: the tables of
docs/observability.md. Everything goes through the service's own baselines and rule.

A column's baseline is drawn anew each time. ``--columns`` is how many are drawn for a cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from azureml_scoring.models.baseline import Baseline
from azureml_scoring.models.drift_rule import STREAM_LEVEL, Drift, measure, pooled

DOCS = Path(__file__).parents[2] / "docs/observability.md"
WIDTHS = (1, 10, 100, 500)
"""Columns of a model."""

BASELINE_ROWS, ROWS_NOW = (200, 1_000, 10_000), (500, 2_000, 10_000)
DRIFT_ROWS = (500, 1_000, 2_000, 5_000, 10_000)

Draw = Callable[[np.random.Generator, int], np.ndarray]


class Column(NamedTuple):
    """A kind of column. ``draw``: its values; ``numeric``: as the contract has it."""

    draw: Draw
    numeric: bool = True


def _texts(codes: np.ndarray) -> np.ndarray:
    return np.char.add("v", codes.astype(str))


def _zero_inflated(rng: np.random.Generator, rows: int) -> np.ndarray:
    return np.where(rng.random(rows) < 0.95, 0.0, rng.lognormal(size=rows))


def _gaps(rng: np.random.Generator, rows: int) -> np.ndarray:
    return np.where(rng.random(rows) < 0.03, np.nan, rng.normal(size=rows))


def _days(rng: np.random.Generator, rows: int) -> np.ndarray:
    return (np.datetime64("2024-01-01") + rng.integers(0, 365, rows)).astype(str)


COLUMNS = {
    "normal": Column(lambda rng, rows: rng.normal(size=rows)),
    "heavy tail": Column(lambda rng, rows: rng.lognormal(sigma=2, size=rows)),
    "counts": Column(lambda rng, rows: rng.poisson(4, rows).astype(float)),
    "0/1, 3 %": Column(lambda rng, rows: (rng.random(rows) < 0.03).astype(float)),
    "95 % zeros": Column(_zero_inflated),
    "constant": Column(lambda rng, rows: np.ones(rows)),
    "3 % missing": Column(_gaps),
    "9 equal levels": Column(lambda rng, rows: _texts(rng.integers(0, 9, rows)), False),
    "12 equal levels": Column(lambda rng, rows: _texts(rng.integers(0, 12, rows)), False),
    "50 equal levels": Column(lambda rng, rows: _texts(rng.integers(0, 50, rows)), False),
    "200 equal levels": Column(lambda rng, rows: _texts(rng.integers(0, 200, rows)), False),
    "Zipf's levels": Column(lambda rng, rows: _texts(rng.zipf(1.5, rows)), False),
    "ids": Column(lambda rng, rows: _texts(rng.integers(0, 2**40, rows)), False),
    "dates": Column(_days, False),
}


class Change(NamedTuple):
    """``draw``: the values now, of a column that was drawn by ``before``."""

    before: Column
    draw: Draw


def _shifted(by: float) -> Draw:
    return lambda rng, rows: rng.normal(by, 1, rows)


def _of(share: float, other: Draw, draw: Draw) -> Draw:
    """Return a draw of which this share comes from another."""
    return lambda rng, rows: np.where(rng.random(rows) < share, other(rng, rows), draw(rng, rows))


def _levels(first: float) -> Draw:
    return lambda rng, rows: _texts(rng.choice(10, rows, p=[first, *[(1 - first) / 9] * 9]))


NORMAL, EQUAL = COLUMNS["normal"], COLUMNS["50 equal levels"]
CHANGES = {
    "mean + 0.25 sd": Change(NORMAL, _shifted(0.25)),
    "mean + 0.5 sd": Change(NORMAL, _shifted(0.5)),
    "a level from 10 to 20 %": Change(Column(_levels(0.1), False), _levels(0.2)),
    "5 % of the rows times 1,000": Change(
        NORMAL, _of(0.05, lambda rng, rows: 1000 * NORMAL.draw(rng, rows), NORMAL.draw)
    ),
    "95 % zeros, the others times 1,000": Change(
        COLUMNS["95 % zeros"], lambda rng, rows: 1000 * _zero_inflated(rng, rows)
    ),
    "a constant that is another": Change(COLUMNS["constant"], lambda rng, rows: np.full(rows, 5.0)),
    "5 % in levels that were never there": Change(
        EQUAL, _of(0.05, lambda rng, rows: np.full(rows, "new"), EQUAL.draw)
    ),
    "5 % missing that never were": Change(
        NORMAL, _of(0.05, lambda rng, rows: np.full(rows, np.nan), NORMAL.draw)
    ),
}


def drifts(
    before: Column, now: Draw, then_rows: int, now_rows: int, columns: int, seed: int
) -> Iterator[Drift]:
    """Yield the drift of so many columns."""
    rng = np.random.default_rng(seed)
    for _ in range(columns):
        baseline = Baseline.of("x", before.draw(rng, then_rows), numeric=before.numeric)
        counts = baseline.count(now(rng, now_rows))
        yield measure(pooled(baseline, baseline.counts), pooled(baseline, counts))


def share_drifted(seen: Sequence[Drift], width: int) -> float:
    """Return the share of columns that drifted, in a model of ``width`` columns."""
    return float(np.mean([drift.drifted(width, STREAM_LEVEL) for drift in seen]))


def false_alarms(columns: int, then_rows: int, now_rows: int) -> dict[str, list[float]]:
    """Return for each kind the share of models of each width that have a drifted column, although
    nothing has moved."""
    return {
        kind: [1 - (1 - share_drifted(seen, width)) ** width for width in WIDTHS]
        for kind, column in COLUMNS.items()
        for seen in [list(drifts(column, column.draw, then_rows, now_rows, columns, seed=now_rows))]
    }


def power(columns: int, then_rows: int, width: int) -> dict[str, list[float]]:
    """Return for each change the share that is found after each of DRIFT_ROWS."""
    return {
        name: [
            share_drifted(
                list(drifts(change.before, change.draw, then_rows, rows, columns, seed=rows)), width
            )
            for rows in DRIFT_ROWS
        ]
        for name, change in CHANGES.items()
    }
