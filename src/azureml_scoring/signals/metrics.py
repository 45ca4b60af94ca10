"""``/metrics`` for Prometheus: the scoreboard of all workers, the dead ones included, so that no
counter ever falls.

Labels come from lists in the code and from the deployment: no request can make a new one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric

from azureml_scoring.models.lifecycle import Lifecycle
from azureml_scoring.request import Answer
from azureml_scoring.shared.admission_row import REASONS, AdmissionRow, offered_load
from azureml_scoring.shared.measures import BUCKET_BOUNDS_S, OUTCOMES, STAGES
from azureml_scoring.shared.scoreboard import CacheRow, Scoreboard, WorkerRow
from azureml_scoring.signals.drift import DriftMonitor
from azureml_scoring.signals.drift_metrics import exposition

METRIC_PREFIX = "scoring"


class Metrics:
    """A collector of prometheus_client, and the answer to a scrape. ``ready``: whether the server
    is. ``clock``: the monotonic clock of the scoreboard."""

    def __init__(
        self,
        board: Scoreboard,
        lifecycle: Lifecycle,
        drift: DriftMonitor,
        *,
        deployment: str,
        ready: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._board = board
        self._drift = drift
        self._lifecycle = lifecycle
        self._deployment = deployment
        self._ready = ready
        self._clock = clock
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def answer(self) -> Answer:
        model = self._lifecycle.loaded
        drift = exposition(self._drift, model.version).encode() if model else b""
        body = generate_latest(self._registry) + drift
        return Answer(200, body, content_type=CONTENT_TYPE_PLAIN_0_0_4)

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; prometheus_client calls it for each scrape."""
        rows, living = list(self._board.rows()), list(self._board.workers())
        yield _by_outcome(rows)
        yield _counter(
            "rows", "Rows of requests that were valid.", sum(row.measures.rows for row in rows)
        )
        yield _durations(rows)
        yield _counter(
            "non_finite",
            "Predictions that were NaN or infinite.",
            sum(row.non_finite for row in rows),
        )
        for name, meaning in CacheRow.COUNTERS.items():
            counted = sum(getattr(row.cache, name) for row in rows)
            yield _counter(f"cache_{name}", meaning, counted)
        opened = sum(row.cache.redis_breaker_open for row in living)
        yield _gauge(
            "cache_redis_breaker_open", "Workers that leave Redis alone because it fails.", opened
        )
        yield _gauge(
            "in_flight", "Requests that are being answered.", sum(row.in_flight for row in living)
        )
        yield from _admission(
            [row.admission for row in rows], [row.admission for row in living], self._clock()
        )
        yield _gauge("workers", "Worker processes that live.", len(living))
        yield _gauge("ready", "1 if /readiness answers 200.", int(self._ready()))
        yield _gauge(
            "start_time_seconds", "Start of the server, since the epoch.", self._board.started_at
        )
        dropped = sum(row.data_dropped for row in rows)
        yield _counter(
            "data_dropped", "Requests whose data should have been collected, and was not.", dropped
        )
        yield from self._model()

    def _model(self) -> Iterator[Metric]:
        model = self._lifecycle.loaded
        yield _gauge("model_loaded", "1 if this worker has its model.", int(model is not None))
        if model is None:
            return
        labels = {
            "model_name": model.name,
            "model_version": model.version,
            "deployment": self._deployment,
            "backend": model.backend,
        }
        family = GaugeMetricFamily(
            f"{METRIC_PREFIX}_model_info", "The model that answers; always 1.", labels=list(labels)
        )
        family.add_metric(list(labels.values()), 1)
        yield family
        yield _gauge(
            "model_version_skew",
            "Packages whose versions differ from those at packaging.",
            len(model.version_skew),
        )


def _by_outcome(rows: Iterable[WorkerRow]) -> Metric:
    total = [sum(counts) for counts in zip(*(row.measures.outcomes for row in rows), strict=True)]
    family = CounterMetricFamily(
        f"{METRIC_PREFIX}_requests",
        "Requests by outcome: ok, or the error's code.",
        labels=["outcome"],
    )
    for outcome, count in zip(OUTCOMES, total or [0] * len(OUTCOMES), strict=True):
        family.add_metric([outcome], count)
    return family


def _admission(
    rows: Sequence[AdmissionRow], living: Sequence[AdmissionRow], now: float
) -> Iterator[Metric]:
    refusals = CounterMetricFamily(
        f"{METRIC_PREFIX}_refusals", "Requests that were refused for load.", labels=["reason"]
    )
    for index, reason in enumerate(REASONS):
        refusals.add_metric([reason], sum(row.refusals[index] for row in rows))
    yield refusals
    yield _counter(
        "offered_work_seconds",
        "Work that arrived, refused or not, in expected seconds of a slot.",
        sum(row.offered_s for row in rows),
    )
    yield _gauge(
        "offered_load",
        "Work that arrives, refused or not, by what the slots can do: 1 is capacity.",
        offered_load(living, now),
    )
    yield _gauge("slots", "Scores that are computed at once.", sum(row.slots for row in living))
    yield _gauge("queue", "Requests that wait for a slot.", sum(row.waiting for row in living))
    yield _gauge(
        "shedding",
        "Workers that keep their queues short, because more arrives than they can do.",
        sum(row.sheds(now) for row in living),
    )


def _durations(rows: Iterable[WorkerRow]) -> Metric:
    family = HistogramMetricFamily(
        f"{METRIC_PREFIX}_duration_seconds",
        "Duration of requests and of each of their stages.",
        labels=["stage"],
    )
    all_rows = list(rows)
    bounds = [*map(str, BUCKET_BOUNDS_S), "+Inf"]
    for index, stage in enumerate(STAGES):
        counts = map(sum, zip(*(row.measures.counts(index) for row in all_rows), strict=True))
        seconds = sum(row.measures.seconds[index] for row in all_rows)
        family.add_metric([stage], list(zip(bounds, accumulate(counts), strict=True)), seconds)
    return family


def _counter(name: str, documentation: str, value: float) -> Metric:
    return CounterMetricFamily(f"{METRIC_PREFIX}_{name}", documentation, value=value)


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{METRIC_PREFIX}_{name}", documentation, value=value)
