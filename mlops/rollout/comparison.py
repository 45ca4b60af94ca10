"""Compares two deployments, as in an A/B test: latency, errors and predictions, with confidence
intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from mlops.rollout.agreement import Agreement
from mlops.rollout.request_tally import QUANTILES, RequestTally

CONFIDENCE = 0.95
TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
RESAMPLES = 1000
RESAMPLES_AT_ONCE = 50
MAX_RESAMPLED_LATENCIES = 20_000
"""If there are more, this many are drawn."""


@dataclass(frozen=True)
class ComparisonRow:
    """One figure of both. ``difference``: new minus old, within ``low`` and ``high``; NaN if there
    is nothing to compare."""

    what: str
    unit: str
    old: float
    new: float
    difference: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Words for which one is higher."""
        if math.isnan(self.low) or self.low <= 0 <= self.high:
            return "no difference shown"
        return "higher" if self.low > 0 else "lower"


def compare(
    new: RequestTally, old: RequestTally, agreement: Agreement | None, seed: int = 0
) -> list[ComparisonRow]:
    """Compare latencies in milliseconds and rates in percent. ``seed``: of the resampling."""
    rng = np.random.default_rng(seed)
    rows = [
        _quantile(name, share, new, old, rng) for name, share in {"P50": 0.5, **QUANTILES}.items()
    ]
    rows += [_rate("errors", new.failed, new.requests, old.failed, old.requests)]
    rows += [_rate("refusals", new.refused, new.requests, old.refused, old.requests)]
    if agreement and agreement.rows:
        low, high = _wilson(agreement.rows - agreement.same, agreement.rows)
        other = 100 * (1 - agreement.same / agreement.rows)
        rows.append(
            ComparisonRow(
                "predictions that differ", "%", math.nan, math.nan, other, 100 * low, 100 * high
            )
        )
    return rows


def _quantile(
    name: str, share: float, new: RequestTally, old: RequestTally, rng: np.random.Generator
) -> ComparisonRow:
    values, others = (_drawn(side.latencies, rng) for side in (new, old))
    before, after = old.quantile(share), new.quantile(share)
    low = high = math.nan
    if min(values.size, others.size) > 1:
        low, high = _bootstrapped(values, others, share, rng)
    return ComparisonRow(name, "ms", before, after, after - before, low, high)


def _bootstrapped(
    values: np.ndarray, others: np.ndarray, share: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the interval of the quantile's difference, by the percentiles of resamples."""
    differences = []
    for _ in range(RESAMPLES // RESAMPLES_AT_ONCE):
        one, other = (
            np.quantile(rng.choice(side, (RESAMPLES_AT_ONCE, side.size)), share, axis=1)
            for side in (values, others)
        )
        differences.append(one - other)
    low, high = np.quantile(differences, TAILS)
    return float(low), float(high)


def _drawn(latencies: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (
        latencies
        if latencies.size <= MAX_RESAMPLED_LATENCIES
        else rng.choice(latencies, MAX_RESAMPLED_LATENCIES, replace=False)
    )


def _rate(
    what: str, events: int, requests: int, other_events: int, other_requests: int
) -> ComparisonRow:
    """Compare rates by Newcombe's interval of their difference, from Wilson's of each."""
    if not requests or not other_requests:
        return ComparisonRow(what, "%", math.nan, math.nan, math.nan, math.nan, math.nan)
    after, before = events / requests, other_events / other_requests
    (low, high), (other_low, other_high) = (
        _wilson(events, requests),
        _wilson(other_events, other_requests),
    )
    difference = after - before
    least = difference - math.hypot(after - low, other_high - before)
    most = difference + math.hypot(high - after, before - other_low)
    return ComparisonRow(
        what, "%", *(100 * value for value in (before, after, difference, least, most))
    )


def _wilson(events: int, requests: int) -> tuple[float, float]:
    """Return Wilson's interval of a share."""
    z = NormalDist().inv_cdf(TAILS[1])
    width = z * math.sqrt(4 * events * (requests - events) / requests + z**2)
    low, high = ((2 * events + z**2 + sign * width) / (2 * (requests + z**2)) for sign in (-1, 1))
    return low, high


def lines(rows: Sequence[ComparisonRow], old: str, new: str) -> list[str]:
    """Format the rows as a table for a terminal."""
    header = ["", old, new, "difference", f"{CONFIDENCE:.0%} interval", ""]
    cells = [header]
    for row in rows:
        interval = f"{_number(row.low)} to {_number(row.high)}"
        cells.append(
            [
                f"{row.what}, {row.unit}",
                *map(_number, (row.old, row.new, row.difference)),
                interval,
                row.verdict,
            ]
        )
    widths = [max(len(line[i]) for line in cells) for i in range(len(header))]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


def not_compared(agreement: Agreement | None, old: str, new: str) -> list[str]:
    """Return a line for each thing that was not compared."""
    if agreement is None:
        return ["Not compared: predictions; give rows by --sample."]
    silent = {old: agreement.left_out, new: agreement.silent}
    rows_given = agreement.asked + agreement.left_out
    return [
        f"Not compared: predictions for {rows} of {rows_given} rows, which {name} does not answer."
        for name, rows in silent.items()
        if rows
    ]


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
