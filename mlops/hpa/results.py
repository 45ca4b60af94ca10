"""The results of a simulation, as tables: a row for each setting, compared with the SLO, and a row
for each second."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlops.hpa.simulation import MINUTE, Timeline
from mlops.slo import Slo


def quantile(timeline: Timeline, share: float, minutes: slice = slice(None)) -> float:
    """Return the quantile ``share`` of the latencies in milliseconds; NaN without answers."""
    later, answered = timeline.later[minutes].sum(axis=0), _answered(timeline)[minutes].sum()
    if not answered:
        return float("nan")
    place = int(np.argmax(later <= (1 - share) * answered))
    return 1000 * float(timeline.model.latencies[place])


def by_minute(timeline: Timeline, share: float) -> np.ndarray:
    """Return the quantile ``share`` of the latencies in each minute."""
    return np.array(
        [
            quantile(timeline, share, slice(minute, minute + 1))
            for minute in range(len(timeline.later))
        ]
    )


def row(timeline: Timeline, slo: Slo) -> dict[str, float | str]:
    """Return column -> value. ``within SLO %``: minutes whose P95, P99 and errors all kept it."""
    requests = timeline.rate.sum()
    return {
        "setting": timeline.name,
        "replicas": timeline.replicas.mean(),
        "most": int(timeline.replicas.max()),
        "pod hours": timeline.replicas.sum() / 3600,
        "CPU %": timeline.utilisation.mean(),
        "shed %": 100 * (timeline.rate @ timeline.shed) / requests if requests else 0.0,
        "P95 ms": quantile(timeline, 0.95),
        "P99 ms": quantile(timeline, 0.99),
        "within SLO %": 100 * float(within(timeline, slo).mean()),
    }


def within(timeline: Timeline, slo: Slo) -> np.ndarray:
    """Tell for each minute whether it kept the SLO. A minute without requests did."""
    shed = _by_minute(timeline.rate * timeline.shed)
    errors = shed <= slo.error_rate * _by_minute(timeline.rate)
    quick = [
        _slower(timeline, limit) <= (1 - share) * _answered(timeline)
        for share, limit in ((0.95, slo.p95_ms), (0.99, slo.p99_ms))
    ]
    kept: np.ndarray = errors & quick[0] & quick[1]
    return kept


def summary(timelines: Sequence[Timeline], slo: Slo) -> pd.DataFrame:
    return pd.DataFrame([row(timeline, slo) for timeline in timelines])


def lines(table: pd.DataFrame) -> str:
    """Format the table for a terminal."""
    return table.to_string(index=False, float_format="{:.1f}".format)


def seconds(timelines: Sequence[Timeline], slo: Slo) -> pd.DataFrame:
    """Return a row for each second of each setting."""
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "setting": timeline.name,
                    "second": np.arange(len(timeline.rate)),
                    "requests_per_second": timeline.rate,
                    "replicas": timeline.replicas,
                    "ready": timeline.ready,
                    "cpu_percent": timeline.utilisation,
                    "waiting": timeline.waiting,
                    "shed_share": timeline.shed,
                    "p95_ms_of_the_minute": _each_second(by_minute(timeline, 0.95), timeline),
                    "minute_within_slo": _each_second(within(timeline, slo), timeline),
                }
            )
            for timeline in timelines
        ]
    )


def tables(timelines: Sequence[Timeline], slo: Slo) -> dict[str, str]:
    """Return both tables as CSV, by file name."""
    return {
        "summary.csv": summary(timelines, slo).to_csv(index=False, float_format="%.3f"),
        "seconds.csv": seconds(timelines, slo).to_csv(index=False, float_format="%.4g"),
    }


def _slower(timeline: Timeline, limit: float) -> np.ndarray:
    """Return how many requests of each minute took longer than ``limit`` milliseconds."""
    latencies = 1000 * timeline.model.latencies
    return np.array(
        [
            np.interp(limit, latencies, later, left=answered)
            for later, answered in zip(timeline.later, _answered(timeline), strict=True)
        ]
    )


def _each_second(minutes: np.ndarray, timeline: Timeline) -> np.ndarray:
    return np.repeat(minutes, MINUTE)[: len(timeline.rate)]


def _answered(timeline: Timeline) -> np.ndarray:
    return _by_minute(timeline.rate * (1 - timeline.shed))


def _by_minute(values: np.ndarray) -> np.ndarray:
    sums: np.ndarray = np.add.reduceat(values, np.arange(0, len(values), MINUTE))
    return sums
