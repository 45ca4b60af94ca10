"""Compares two deployments, as in an A/B test: latency, errors and predictions, with confidence
intervals that hold though requests of the same time are alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from mlops.rollout.agreement import Agreement
from mlops.rollout.request_tally import QUANTILES, RequestTally
from mlops.traffic_blocks import LATENCY_RATIO

CONFIDENCE = 0.95
TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
RESAMPLES = 1000
RESAMPLED_BLOCK_S = 300
"""Longer than what makes requests alike: a pause, a slow spell, a burst of one client."""

MIN_RESAMPLED_BLOCKS = 12
MIN_BLOCKS_WITH_EVENTS = 8
"""Fewer do not show how often bursts of errors come."""


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
    """Compare latencies in milliseconds and rates in percent. ``seed``: of the resampling.

    The intervals are those of a bootstrap of blocks of time, the same for both deployments (Künsch,
    The jackknife and the bootstrap for general stationary observations, Ann. Stat. 17, 1989),
    widened as Student's t is for few blocks.
    """
    after, before = _aligned(new, old)
    rng = np.random.default_rng(seed)
    blocks = after.at.size
    weights = rng.multinomial(blocks, np.full(blocks, 1 / max(blocks, 1)), RESAMPLES)
    rows = []
    for name, share in {"P50": 0.5, **QUANTILES}.items():
        was, now = (
            float(_quantiles(side.histogram.sum(axis=0, keepdims=True), share)[0])
            for side in (before, after)
        )
        resampled = [_quantiles(weights @ side.histogram, share) for side in (after, before)]
        rows.append(_row(name, "ms", was, now, resampled, blocks))
    for name, part in (("errors", "failed"), ("refusals", "refused")):
        rates = [_rates(getattr(side, part).sum(), side.requests.sum()) for side in (before, after)]
        resampled = [
            _rates(weights @ getattr(side, part), weights @ side.requests)
            for side in (after, before)
        ]
        rows.append(_row(name, "%", float(rates[0]), float(rates[1]), resampled, blocks))
    if agreement and agreement.rows:
        low, high = _wilson(agreement.different, agreement.rows)
        share = agreement.different / agreement.rows
        figures = (100 * share, 100 * low, 100 * high)
        rows.append(ComparisonRow("predictions that differ", "%", math.nan, math.nan, *figures))
    return rows


def _aligned(new: RequestTally, old: RequestTally) -> tuple[RequestTally, RequestTally]:
    """Join both to the same blocks: of RESAMPLED_BLOCK_S, or shorter if there were too few."""
    times = np.concatenate([new.at, old.at])
    span = float(np.ptp(times)) if times.size else 0.0
    length_s = min(RESAMPLED_BLOCK_S, max(span / MIN_RESAMPLED_BLOCKS, 1e-9))
    new, old = new.joined(length_s), old.joined(length_s)
    places = np.union1d(new.at // length_s, old.at // length_s)
    return new.placed(places, length_s), old.placed(places, length_s)


def _quantiles(histograms: np.ndarray, share: float) -> np.ndarray:
    """Return the quantile of each histogram in milliseconds, interpolated within its bin; NaN if
    the histogram is empty."""
    counts = histograms.cumsum(axis=1)
    if not counts.size or not counts[:, -1].all():
        return np.full(len(histograms), math.nan)
    wanted = share * counts[:, -1]
    places = (counts < wanted[:, None]).sum(axis=1)
    row = np.arange(len(histograms))
    within = histograms[row, places]
    part = (wanted - counts[row, places] + within) / within
    quantiles: np.ndarray = LATENCY_RATIO ** (places - 0.5 + part)
    return quantiles


def _rates(events: np.ndarray, requests: np.ndarray) -> np.ndarray:
    """Return events in percent of the requests; NaN if there are none."""
    unknown = np.full(np.shape(requests), math.nan)
    shares: np.ndarray = np.divide(events, requests, out=unknown, where=requests > 0)
    return 100 * shares


def _row(
    what: str, unit: str, before: float, after: float, resampled: list[np.ndarray], blocks: int
) -> ComparisonRow:
    difference, low, high = after - before, math.nan, math.nan
    differences = resampled[0] - resampled[1]
    if blocks > 1 and not np.isnan(differences).any():
        wider = special.stdtrit(blocks - 1, TAILS[1]) / special.ndtri(TAILS[1])
        wider *= math.sqrt(blocks / (blocks - 1))
        low, high = difference + wider * (np.quantile(differences, TAILS) - difference)
    return ComparisonRow(what, unit, before, after, difference, float(low), float(high))


def _wilson(events: int, requests: int) -> tuple[float, float]:
    """Return Wilson's interval of a share."""
    z = special.ndtri(TAILS[1])
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


def too_little(new: RequestTally, old: RequestTally) -> list[str]:
    """Return a warning for each interval that too little stands behind."""
    after, before = _aligned(new, old)
    blocks = after.at.size
    length_s = float(np.diff(after.at).min()) if blocks > 1 else 0.0
    warnings = []
    if length_s < RESAMPLED_BLOCK_S:
        warnings.append(
            f"There is less than {MIN_RESAMPLED_BLOCKS * RESAMPLED_BLOCK_S / 60:.0f} min of "
            f"requests, so the intervals may leave out what lasts longer than {length_s:.0f} s; "
            "compare again later, with more --minutes."
        )
    for name, part in (("errors", "failed"), ("refusals", "refused")):
        events = np.count_nonzero(getattr(after, part) + getattr(before, part))
        if 0 < events < MIN_BLOCKS_WITH_EVENTS:
            warnings.append(
                f"The interval of the {name} stands on {events} of {blocks} blocks of time with "
                "any; compare again later, with more --minutes."
            )
    return warnings


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
