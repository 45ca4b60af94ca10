import multiprocessing
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from azureml_scoring.errors import Overloaded, OverloadReason, ScoringError
from azureml_scoring.request import Outcome
from azureml_scoring.shared.cache_counts import CacheCounts
from azureml_scoring.shared.measures import (
    BUCKET_BOUNDS_S,
    OUTCOMES,
    STAGES,
    MeasureRecorder,
    Measures,
)
from azureml_scoring.shared.scoreboard import Scoreboard
from azureml_scoring.signals.drift import DriftMonitor
from azureml_scoring.signals.health import RequestCounter
from azureml_scoring.signals.metrics import Metrics
from azureml_scoring.signals.watched_columns import Cell, FaultCount
from places import REPOSITORY

FORK = multiprocessing.get_context("fork")
NO_TIME = [0.0] * len(STAGES)
NOW = 1000.0


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scoreboard:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Scoreboard(os.getpid())


MODEL = SimpleNamespace(
    name="m",
    version="v7",
    backend="onnx",
    version_skew=("numpy 1 for 2",),
    baselines=(),
    answer_baselines=(),
)


def families(
    board: Scoreboard, model: Any = None, ready: bool = True, drift: DriftMonitor | None = None
) -> Iterable[Metric]:
    """Parse a scrape with Prometheus' own parser."""
    metrics = Metrics(
        board,
        SimpleNamespace(loaded=model),  # type: ignore[arg-type]
        drift or DriftMonitor(board, lambda: model),
        deployment="blue",
        ready=lambda: ready,
        clock=lambda: NOW,
    )
    answer = metrics.answer()
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    return text_string_to_metric_families(answer.body.decode())


def scraped(
    board: Scoreboard, model: Any = None, ready: bool = True
) -> dict[tuple[str, ...], float]:
    """(name, label values by name...) -> value."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families(board, model, ready)
        for sample in family.samples
    }


def test_counts_are_of_all_workers_also_of_those_that_died(board: Scoreboard):
    """No counter ever falls."""

    def worker() -> None:
        theirs = Scoreboard(os.getppid())
        theirs.recorder.add("overloaded", 0, NO_TIME)
        theirs.recorder.add("ok", 5, NO_TIME)
        theirs.mine.in_flight = 3

    board.recorder.add("ok", 2, NO_TIME)
    child = FORK.Process(target=worker)
    child.start()
    child.join()
    found = scraped(board)
    assert found["scoring_requests_total", "ok"] == 2
    assert found["scoring_requests_total", "overloaded"] == 1
    assert found["scoring_rows_total",] == 7
    assert (found["scoring_in_flight",], found["scoring_workers",]) == (0, 1)


def test_workers_that_leave_redis_alone_are_counted(board: Scoreboard):
    """Only living workers count: an alert depends on it."""
    assert scraped(board)["scoring_cache_redis_breaker_open",] == 0
    board.mine.cache.redis_breaker_open = 1
    assert scraped(board)["scoring_cache_redis_breaker_open",] == 1


def test_refusals_are_counted_by_reason(board: Scoreboard):
    """Together they are the requests with the outcome ``overloaded``."""
    count = RequestCounter(board, CacheCounts(lambda: board.mine))
    for reason in (*OverloadReason, OverloadReason.MEMORY):
        count(Outcome("id", None, "trace", error=Overloaded("no", reason=reason)))
    found = scraped(board)
    by_reason = {reason: found["scoring_refusals_total", reason] for reason in OverloadReason}
    assert by_reason == dict.fromkeys(OverloadReason, 1) | {OverloadReason.MEMORY: 2}
    assert found["scoring_requests_total", "overloaded"] == sum(by_reason.values())


def test_the_offered_load_falls_when_nothing_arrives(board: Scoreboard):
    """An autoscaler sees what arrives, not what was admitted; an idle service offers nothing."""
    row = board.mine.admission
    row.slots, row.waiting, row.shedding = 2, 3, 1
    row.offer(NOW, 40.0)
    found = scraped(board)
    assert found["scoring_offered_load",] == pytest.approx(2.0)
    shown = ("slots", "queue", "shedding", "offered_work_seconds_total")
    assert [found[f"scoring_{name}",] for name in shown] == [2, 3, 1, 40]
    row.recent_at -= 60
    found = scraped(board)
    assert found["scoring_offered_load",] < 0.01
    assert found["scoring_shedding",] == 0
    assert found["scoring_offered_work_seconds_total",] == 40


def test_a_request_that_died_with_its_worker_is_an_error_of_ours(board: Scoreboard):
    """/health counts it in the same way."""
    board.mine.in_flight = 2
    board.mine.pid = 0
    board.claim(0)
    assert scraped(board)["scoring_requests_total", "internal_error"] == 2


@given(st.lists(st.floats(1e-6, 100), max_size=50))
def test_buckets_are_cumulative_and_hold_what_their_bound_says(seconds: list[float]):
    """The bound itself is included, as in Prometheus."""
    measures = Measures()
    recorder = MeasureRecorder(measures)
    for took in seconds:
        recorder.add("ok", 1, [took, *NO_TIME[1:]])
    counts = measures.counts(0)
    for i, bound in enumerate(BUCKET_BOUNDS_S):
        assert sum(counts[: i + 1]) == sum(took <= bound for took in seconds)
    assert sum(counts) == len(seconds)
    assert measures.seconds[0] == pytest.approx(sum(seconds))
    assert sum(measures.counts(1)) == 0


def test_stages_have_histograms_with_the_slo_among_their_bounds(board: Scoreboard):
    """A quantile is exact at a bound."""
    board.recorder.add("ok", 1, [0.15, 0.0, 0.001, 0.0, 0.0, 0.0, 0.0])
    found = scraped(board)
    assert found["scoring_duration_seconds_bucket", "0.2", "request"] == 1
    assert found["scoring_duration_seconds_bucket", "0.1", "request"] == 0
    assert found["scoring_duration_seconds_count", "validate"] == 1
    assert found["scoring_duration_seconds_count", "queue"] == 0
    assert found["scoring_duration_seconds_sum", "request"] == pytest.approx(0.15)


def test_latency_is_of_answers_only(board: Scoreboard):
    """Quick refusals would hide slow answers; their stages are counted like any other."""
    board.recorder.add("overloaded", 0, [0.001, 0.0, 0.001, 0.0, 0.0, 0.0, 0.0])
    board.recorder.add("ok", 1, [0.3, 0.0, 0.001, 0.0, 0.0, 0.0, 0.0])
    found = scraped(board)
    assert found["scoring_duration_seconds_count", "request"] == 1
    assert found["scoring_duration_seconds_bucket", "0.2", "request"] == 0
    assert found["scoring_duration_seconds_count", "validate"] == 2


@pytest.mark.parametrize("ready", [True, False])
def test_a_scrape_says_whether_the_server_is_ready(board: Scoreboard, ready: bool):
    """It is what /readiness says: an alert depends on it."""
    assert scraped(board, ready=ready)["scoring_ready",] == ready


def test_every_error_has_its_outcome():
    """No request can make a label that is not in the list."""

    def kinds(error: type[ScoringError]) -> list[type[ScoringError]]:
        return [error, *(kind for each in error.__subclasses__() for kind in kinds(each))]

    codes = {kind.code for kind in kinds(ScoringError) if "code" in vars(kind)}
    assert {*OUTCOMES} == {"ok", *codes}


def test_the_model_is_told(board: Scoreboard):
    """Its version is shown, and whether packages differ from those at packaging."""
    found = scraped(board, MODEL)
    assert found["scoring_model_info", "onnx", "blue", "m", "v7"] == 1
    assert (found["scoring_model_loaded",], found["scoring_model_version_skew",]) == (1, 1)
    assert scraped(board)["scoring_model_loaded",] == 0


def test_the_page_of_metrics_is_the_code(board: Scoreboard):
    """docs/metrics.md lists each metric with its type, its labels and its help, and nothing
    else."""
    drift = SimpleNamespace(
        drifts=lambda: [("age", SimpleNamespace(index=0.1))],
        cells=lambda: [Cell("age", 0, 1, 1)],
        faults=lambda: [FaultCount("age", "missing", 1, 1)],
        score_limit=3.0,
    )
    rows = []
    for family in families(board, MODEL, drift=drift):  # type: ignore[arg-type]
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {label: None for sample in family.samples for label in sample.labels}
        shown = ", ".join(f"`{label}`" for label in labels if label != "le")
        rows.append(f"| `{name}` | {family.type} | {shown} | {family.documentation} |")
    page = (REPOSITORY / "docs" / "metrics.md").read_text()
    assert re.findall(r"^\| `scoring_.*$", page, re.MULTILINE) == rows
