import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from azureml_scoring import log
from azureml_scoring.errors import MissingValue
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.baseline import Baseline
from azureml_scoring.models.drift_rule import MIN_DRIFT, MIN_JUDGED_ROWS
from azureml_scoring.request import Outcome
from azureml_scoring.shared.scoreboard import Scoreboard
from azureml_scoring.signals.data_collection import Collected
from azureml_scoring.signals.drift import DriftMonitor
from azureml_scoring.signals.drift_metrics import exposition
from azureml_scoring.signals.drift_window import HOUR_S, WINDOW_HOURS
from azureml_scoring.signals.request_bins import Refused, watched

NOON = 1_800_000_000.0 // HOUR_S * HOUR_S


def drawn(rows: int, mean: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1, (rows, 2))


def model(*, most_row_share: float = 0.0, answers: Sequence[Any] = ()) -> Any:
    training = drawn(2000)
    return SimpleNamespace(
        version="v1",
        baselines=tuple(
            Baseline.of(name, training[:, i], numeric=True) for i, name in enumerate(("age", "bmi"))
        ),
        answer_baselines=(Baseline.of("predict()", answers, numeric=True),) if answers else (),
        most_row_share=most_row_share,
    )


def request(X: np.ndarray, answer: float = 0.0) -> Collected:
    return Collected(0.0, "id", Batch(X, "predict"), orjson.dumps([answer] * len(X)))


def requests(X: np.ndarray) -> list[Collected]:
    return [request(row[np.newaxis]) for row in X]


def indices(monitor: DriftMonitor) -> dict[str, float]:
    return {name: drift.index for name, drift in monitor.drifts()}


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scoreboard:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Scoreboard(os.getpid())


@pytest.fixture
def logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(log.logger, "handlers", [caplog.handler])
    monkeypatch.setattr(log.logger, "propagate", False)
    caplog.set_level(logging.INFO, "scoring")
    return caplog


def test_the_requests_of_all_workers_count(board: Scoreboard):
    """Each worker has too few to be judged by; together they are enough, also for a worker that
    was started later."""
    known = model()
    for number in range(2):
        take = DriftMonitor(board, lambda: known).open_sink()
        take(requests(drawn(MIN_JUDGED_ROWS // 2, mean=1.0, seed=number)))
    found = indices(DriftMonitor(board, lambda: known))
    assert found.keys() == {"age", "bmi"}
    assert min(found.values()) > MIN_DRIFT


def test_of_few_requests_nothing_is_told(board: Scoreboard):
    """The same is true without a model, or without a baseline of its training data."""
    known = model()
    few = DriftMonitor(board, lambda: known)
    few.open_sink()(requests(drawn(MIN_JUDGED_ROWS - 1, seed=1)))
    assert indices(few) == {}
    for none in (None, SimpleNamespace(baselines=(), answer_baselines=())):
        nothing = DriftMonitor(board, lambda none=none: none)
        nothing.open_sink()(requests(drawn(MIN_JUDGED_ROWS)))
        assert indices(nothing) == {}


def test_rows_of_one_request_weigh_as_one(board: Scoreboard):
    """A batch of a hundred rows of one kind is one client's."""
    known = model()
    monitor = DriftMonitor(board, lambda: known)
    take = monitor.open_sink()
    take(requests(drawn(600, seed=1)))
    take([request(drawn(100, mean=3.0, seed=2))])
    assert max(indices(monitor).values()) < MIN_DRIFT
    assert sum(cell.requests for cell in monitor.cells() if cell.column == "age") == (
        pytest.approx(601)
    )


def test_the_same_row_again_hardly_counts(board: Scoreboard):
    """A client that sends one row for half of the traffic moves nothing, by whichever worker;
    where many rows of the sample are alike they count."""
    for share, counted in ((0.005, 600 + 1 + 0.005 * 1200), (0.5, 1200)):
        known = model(most_row_share=share)
        monitor = DriftMonitor(board, lambda known=known: known, now=lambda share=share: share)
        before = sum(cell.requests for cell in monitor.cells() if cell.column == "age")
        for half in (slice(300), slice(300, 600)):
            take = DriftMonitor(board, lambda known=known: known, now=lambda: NOON).open_sink()
            take(requests(drawn(600, seed=int(1000 * share))[half]))
            take(requests(np.full((300, 2), 0.1 + share)))
        after = sum(cell.requests for cell in monitor.cells() if cell.column == "age")
        assert after - before == pytest.approx(counted, abs=10)


def test_a_day_is_compared(board: Scoreboard):
    """What is older is forgotten."""
    clock, known = [NOON], model()
    monitor = DriftMonitor(board, lambda: known, now=lambda: clock[0])
    take = monitor.open_sink()
    take(requests(drawn(1000, mean=2.0)))
    assert indices(monitor)["age"] > MIN_DRIFT
    clock[0] += (WINDOW_HOURS - 1) * HOUR_S
    take(requests(drawn(1000, seed=1)))
    assert indices(monitor)["age"] > MIN_DRIFT
    clock[0] += HOUR_S
    take(requests(drawn(1000, seed=2)))
    assert indices(monitor)["age"] < MIN_DRIFT


def test_no_hour_counts_more_than_it_can_tell(board: Scoreboard):
    """Ten thousand requests at once, and as many as the hour goes on."""
    clock, known = [NOON], model()
    monitor = DriftMonitor(board, lambda: known, now=lambda: clock[0])
    take = monitor.open_sink()
    many = requests(drawn(6000))
    for _ in range(2):
        take(many)

    def counted() -> float:
        return sum(cell.requests for cell in monitor.cells() if cell.column == "age")

    known.most_row_share = 1.0
    first = counted()
    assert first <= 10_000
    clock[0] += HOUR_S / 2
    take(many)
    assert first < counted() <= first + 5_000


def test_values_that_are_refused_as_missing_count(board: Scoreboard):
    """The model takes no missing values, so that only requests that fail tell of them."""
    known = model(most_row_share=0.01)
    error = MissingValue("Feature age must not be null.", "/data/0/0")
    error.feature = 0
    seen = watched(Outcome("id", None, "t" * 32, bytes_in=20, error=error), 0.0)
    assert seen == Refused(0, 20)
    monitor = DriftMonitor(board, lambda: known)
    lacking = [Refused(0, length) for length in range(100)]
    monitor.open_sink()([*requests(drawn(900, seed=1)), *lacking])
    found = indices(monitor)
    assert found["age"] > MIN_DRIFT
    assert found["bmi"] < MIN_DRIFT


def test_answers_are_watched_too(board: Scoreboard):
    """They are compared with the answers to the sample."""
    known = model(answers=[0, 1] * 500)
    monitor = DriftMonitor(board, lambda: known)
    take = monitor.open_sink()
    X = drawn(600, seed=1)
    take([request(row[np.newaxis], place % 10 == 0) for place, row in enumerate(X)])
    assert indices(monitor)["predict()"] > MIN_DRIFT


def test_metrics_hold_the_bins_of_any_number_of_columns(board: Scoreboard):
    """Counters by bin, which Prometheus sums, and the baseline's rows; their names are escaped."""
    training = drawn(1000)
    known = SimpleNamespace(
        baselines=tuple(
            Baseline.of(f'"{place}"\\', training[:, 0], numeric=True) for place in range(150)
        ),
        answer_baselines=(),
        most_row_share=0.0,
    )
    monitor = DriftMonitor(board, lambda: known)
    monitor.open_sink()(
        [request(np.repeat(row[np.newaxis, :1], 150, axis=1)) for row in drawn(600, seed=1)]
    )
    families = {
        family.name: family.samples
        for family in text_string_to_metric_families(exposition(monitor, "v1"))
    }
    assert len(families["scoring_feature_drift"]) == 150
    for name, rows in (("scoring_drift_requests", 600), ("scoring_drift_baseline_rows", 1000)):
        of_one = [one for one in families[name] if one.labels["feature"] == '"7"\\']
        assert sum(one.value for one in of_one) == pytest.approx(rows)
        assert {one.labels["model_version"] for one in of_one} == {"v1"}
        assert "-1" in {one.labels["bin"] for one in of_one}
    assert families["scoring_drift_score_limit"][0].value == pytest.approx(4.5, abs=0.2)


def test_what_is_wrong_with_values_is_told_by_column(board: Scoreboard):
    """Missing values, those out of the sample's range and unseen categories are counted apart, in
    requests; a column has only the faults that it can have."""
    ages, cities = drawn(1000)[:, 0].tolist(), ["Bern", "Rome"] * 500
    known = SimpleNamespace(
        baselines=(
            Baseline.of("age", ages, numeric=True),
            Baseline.of("city", cities, numeric=False),
        ),
        answer_baselines=(),
        most_row_share=1.0,
    )
    monitor = DriftMonitor(board, lambda: known)
    rows = [[0.1, "Bern"], [1e9, "Oslo"], [-1e9, None], [float("nan"), "Rome"]]
    take = monitor.open_sink()
    take([request(np.array([row], dtype=object)) for row in rows for _ in range(5)])
    take([request(np.array(rows, dtype=object)), Refused(0, 20)])
    assert {(count.column, count.fault): count.requests for count in monitor.faults()} == {
        ("age", "missing"): 6.25,
        ("age", "out_of_range"): 10.5,
        ("city", "missing"): 5.25,
        ("city", "unseen"): 5.25,
    }
    (family,) = (
        family
        for family in text_string_to_metric_families(exposition(monitor, "v1"))
        if family.name == "scoring_data_faults"
    )
    labels = {"model_version": "v1", "feature": "city", "fault": "unseen"}
    assert [one.value for one in family.samples if one.labels == labels] == [5.25]


def test_each_hour_is_logged_once(board: Scoreboard, logged: pytest.LogCaptureFixture):
    """One worker logs the bins, for queries over all servers, and names what has drifted."""
    clock, known = [NOON], model()
    monitors = [DriftMonitor(board, lambda: known, now=lambda: clock[0]) for _ in range(2)]
    moved = np.array([1.0, 2.0])
    for seed, monitor in enumerate(monitors):
        monitor.open_sink()(requests(drawn(400, seed=seed) + moved))
    assert not logged.records
    clock[0] += HOUR_S
    for monitor in monitors:
        monitor.open_sink()(requests(drawn(1, seed=9)))
    bins, faults, drifted = logged.records
    cells = bins.fields["drift_bins"]  # type: ignore[attr-defined]
    assert sum(requests for name, _, requests, _ in cells if name == "age") == 800
    assert sum(rows for name, _, _, rows in cells if name == "age") == 2000
    assert [cell[:2] for cell in faults.fields["data_faults"]] == [  # type: ignore[attr-defined]
        *(("age", "missing"), ("age", "out_of_range")),
        *(("bmi", "missing"), ("bmi", "out_of_range")),
    ]
    assert {cell[3] for cell in faults.fields["data_faults"]} == {800}  # type: ignore[attr-defined]
    assert "bmi" in drifted.message
    assert drifted.message.index("bmi") < drifted.message.index("age")


def test_a_full_disk_leaves_the_other_metrics(board: Scoreboard, monkeypatch: pytest.MonkeyPatch):
    """Only the drift is missing."""

    def full(*_: object) -> int:
        raise OSError

    monkeypatch.setattr("os.posix_fallocate", full)
    known = model()
    monitor = DriftMonitor(board, lambda: known)
    assert indices(monitor) == {}
    assert "{" not in exposition(monitor, "v1")
