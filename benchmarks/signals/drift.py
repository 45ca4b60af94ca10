"""How often drift is found where there is none, and where there is some: the tables of
docs/observability.md. Everything goes through the service's own baselines and rule.

A column's baseline is drawn anew each time. ``--columns`` is how many are drawn for a cell.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from azureml_scoring.models.baseline import Baseline
from azureml_scoring.models.drift_rule import STREAM_LEVEL, Drift, measure, pooled

DOCS = Path(__file__).parents[2] / "docs/observability.md"
BEGIN, END = "<!-- make signals: drift -->\n", "<!-- end -->"

WIDTHS = (1, 10, 100, 500)
"""Columns of a model."""

BASELINE_ROWS, REQUESTS = (200, 1_000, 10_000), (500, 2_000, 10_000)
DRIFT_REQUESTS = (500, 1_000, 2_000, 5_000, 10_000)
DAYS, LOOKS_A_DAY = 30, 24

Draw = Callable[[np.random.Generator, int], np.ndarray]


class Column(NamedTuple):
    """A kind of column. ``draw``: its values; ``numeric``: as the contract has it; ``batch``: the
    values of so many rows of one request, in place of single rows."""

    draw: Draw
    numeric: bool = True
    batch: int = 1


def _texts(codes: np.ndarray) -> np.ndarray:
    return np.char.add("v", codes.astype(str))


def _zero_inflated(rng: np.random.Generator, rows: int) -> np.ndarray:
    return np.where(rng.random(rows) < 0.95, 0.0, rng.lognormal(size=rows))


def _gaps(rng: np.random.Generator, rows: int) -> np.ndarray:
    return np.where(rng.random(rows) < 0.03, np.nan, rng.normal(size=rows))


def _swing(rng: np.random.Generator, rows: int) -> np.ndarray:
    """A day whose mean swings by half a standard deviation."""
    return rng.normal(0.5 * np.sin(2 * np.pi * rng.random(rows)))


def _alike(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Requests of ten rows that correlate by 0.3."""
    of_request = np.repeat(rng.normal(0, 0.3**0.5, -(-rows // 10)), 10)[:rows]
    return of_request + rng.normal(0, 0.7**0.5, rows)


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
    "a swing by the hour": Column(_swing),
    "requests of ten like rows": Column(_alike, batch=10),
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
    before: Column, now: Draw, then_rows: int, requests: int, columns: int, seed: int
) -> Iterator[Drift]:
    """Yield the drift of so many columns. The sample's rows are of as many requests."""
    rng = np.random.default_rng(seed)
    for _ in range(columns):
        sample = before.draw(rng, then_rows * before.batch)[:: before.batch]
        baseline = Baseline.of("x", sample.tolist(), numeric=before.numeric)
        values = now(rng, requests * before.batch)
        counts = baseline.count(values.tolist(), np.full(len(values), 1 / before.batch))
        yield measure(pooled(baseline, baseline.counts), pooled(baseline, counts))


def share_drifted(seen: Sequence[Drift], width: int) -> float:
    """Return the share of columns that drifted, in a model of ``width`` columns."""
    return float(np.mean([drift.drifted(width, STREAM_LEVEL) for drift in seen]))


def false_alarms(columns: int, then_rows: int, requests: int) -> list[float]:
    """Return the share of models of each of WIDTHS that have a drifted column, although nothing has
    moved, with columns of all kinds, ``columns`` of each."""
    seen = [
        drift
        for kind in COLUMNS.values()
        for drift in drifts(kind, kind.draw, then_rows, requests, columns, seed=requests)
    ]
    return [1 - (1 - share_drifted(seen, width)) ** width for width in WIDTHS]


def power(change: Change, columns: int, then_rows: int, width: int) -> list[float]:
    """Return the share that is found after each of DRIFT_REQUESTS."""
    return [
        share_drifted(
            list(drifts(change.before, change.draw, then_rows, requests, columns, seed=requests)),
            width,
        )
        for requests in DRIFT_REQUESTS
    ]


def months_with_alarm(months: int, then_rows: int, width: int, requests_a_day: int) -> float:
    """Return the share of months without drift in which an alarm begins, of a model that is looked
    at every hour, over the last day."""
    rng = np.random.default_rng(27)
    return float(np.mean([_rings(rng, then_rows, width, requests_a_day) for _ in range(months)]))


def _rings(rng: np.random.Generator, then_rows: int, width: int, requests_a_day: int) -> bool:
    for _ in range(width):
        baseline = Baseline.of("x", rng.normal(size=then_rows), numeric=True)
        ends = [0.0, *map(NormalDist().cdf, baseline.bounds), 1.0, 1.0]
        hours = rng.multinomial(
            requests_a_day // LOOKS_A_DAY, np.diff(ends), size=(DAYS + 1) * LOOKS_A_DAY
        )
        sums = np.cumsum(hours, axis=0)
        then = pooled(baseline, baseline.counts)
        for day in sums[LOOKS_A_DAY:] - sums[:-LOOKS_A_DAY]:
            if measure(then, pooled(baseline, day)).drifted(width, STREAM_LEVEL):
                return True
    return False


def tables(columns: int) -> Iterator[str]:
    """Yield the lines of the tables."""
    per_cent = "{:.1%}".format
    yield f"No drift, columns of {len(COLUMNS)} kinds, {columns:,} of each: share of models with an"
    yield "alarm at one look.\n"
    yield _row("rows at packaging", "requests", *(f"{width} columns" for width in WIDTHS))
    yield _row(*["---"] * (2 + len(WIDTHS)))
    for then_rows, requests in itertools.product(BASELINE_ROWS, REQUESTS):
        found = false_alarms(columns, then_rows, requests)
        yield _row(f"{then_rows:,}", f"{requests:,}", *map(per_cent, found))
    yield "\nNo drift, a look each hour for a month, 10,000 requests a day, 1,000 rows at"
    yield "packaging:"
    months = max(columns // 5, 10)
    rung = months_with_alarm(months, 1_000, 10, 10_000)
    yield f"in {rung:.0%} of {months} months a model of 10 columns has an alarm.\n"
    yield "Drift of one column, 1,000 rows at packaging: share that is found.\n"
    counts = (f"{requests:,} requests" for requests in DRIFT_REQUESTS)
    yield _row("what", "columns", *counts)
    yield _row(*["---"] * (2 + len(DRIFT_REQUESTS)))
    for name, change in CHANGES.items():
        for width in (10, 500):
            found = power(change, columns, 1_000, width)
            yield _row(name, str(width), *map("{:.0%}".format, found))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, default=1_000, help="Columns drawn for each cell.")
    text = "\n".join(tables(parser.parse_args().columns))
    print(text)
    before, rest = DOCS.read_text().split(BEGIN)
    DOCS.write_text(f"{before}{BEGIN}\n{text}\n\n{END}{rest.split(END, 1)[1]}")


if __name__ == "__main__":
    main()
