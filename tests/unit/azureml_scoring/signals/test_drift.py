import logging
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from azureml_scoring import log
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.baseline import DRIFTED_PSI, MIN_JUDGED_ROWS, WATCH_PSI, Baseline
from azureml_scoring.shared.scoreboard import Scoreboard
from azureml_scoring.signals import drift
from azureml_scoring.signals.data_collection import Collected
from azureml_scoring.signals.drift import DriftMonitor

MOVED = np.array([1.0, 2.0])
"""Standard deviations, of either feature."""


def drawn(rows: int, mean: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1, (rows, 2))


def model(*names: str) -> Any:
    training = drawn(2000)
    return SimpleNamespace(
        baselines=tuple(Baseline.of(n, training[:, i], numeric=True) for i, n in enumerate(names))
    )


def collected(X: np.ndarray) -> list[Collected]:
    return [Collected(0.0, "id", Batch(rows, "predict"), b"[]") for rows in np.array_split(X, 7)]


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scoreboard:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Scoreboard(os.getpid())


def test_the_rows_of_all_workers_count(board: Scoreboard):
    """Each worker has too few rows to be judged by; together they are enough."""
    found = model("age", "bmi")
    for number in range(2):
        another = Scoreboard(os.getpid())
        another.index = number
        DriftMonitor(another, lambda: found).open_sink()(
            collected(drawn(MIN_JUDGED_ROWS // 2, mean=1.0, seed=number))
        )
    indices = dict(DriftMonitor(board, lambda: found).indices())
    assert indices.keys() == {"age", "bmi"}
    assert min(indices.values()) > DRIFTED_PSI


def test_of_few_rows_nothing_is_told(board: Scoreboard):
    """The same is true without a model, or without a baseline of its training data."""
    found = model("age", "bmi")
    few = DriftMonitor(board, lambda: found)
    few.open_sink()(collected(drawn(MIN_JUDGED_ROWS - 1, seed=1)))
    assert list(few.indices()) == []
    for none in (None, SimpleNamespace(baselines=())):
        nothing = DriftMonitor(board, lambda none=none: none)
        nothing.open_sink()(collected(drawn(MIN_JUDGED_ROWS)))
        assert list(nothing.indices()) == []


def test_what_is_long_past_is_forgotten(board: Scoreboard):
    """After a few windows of other data the old rows no longer show."""
    found = model("age", "bmi")
    seen = DriftMonitor(board, lambda: found)
    take = seen.open_sink()
    take(collected(drawn(drift.HALVING_ROWS, mean=2.0)))
    assert dict(seen.indices())["age"] > DRIFTED_PSI
    for seed in range(6):
        take(collected(drawn(drift.HALVING_ROWS, seed=seed)))
    assert dict(seen.indices())["age"] < WATCH_PSI


def test_the_log_names_what_has_moved(
    board: Scoreboard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """It does so every quarter of an hour, the largest drift first, since nobody scrapes a managed
    endpoint. Without drift it has no line."""
    monkeypatch.setattr(log.logger, "handlers", [caplog.handler])
    monkeypatch.setattr(log.logger, "propagate", False)
    caplog.set_level(logging.INFO, "scoring")
    found, clock = model("age", "bmi"), [1000.0]
    seen = DriftMonitor(board, lambda: found, clock=lambda: clock[0])
    take = seen.open_sink()
    take(collected(drawn(MIN_JUDGED_ROWS)))
    clock[0] += drift.LOG_INTERVAL_S
    take(collected(drawn(10 * MIN_JUDGED_ROWS) + MOVED))
    take(collected(drawn(MIN_JUDGED_ROWS) + MOVED))
    (line,) = caplog.records
    indices = dict(seen.indices())
    logged = line.fields["drift"]  # type: ignore[attr-defined]
    assert list(logged) == ["bmi", "age"]
    assert logged == pytest.approx(indices, rel=0.2)
    assert line.message.startswith("Features have drifted from the training data: bmi ")
    clock[0] += drift.LOG_INTERVAL_S
    take(collected(drawn(MIN_JUDGED_ROWS)))
    assert len(caplog.records) == 2


def test_no_more_features_are_shown_than_prometheus_bears(
    board: Scoreboard, monkeypatch: pytest.MonkeyPatch
):
    """The first features are shown."""
    monkeypatch.setattr(drift, "MAX_FEATURES", 1)
    found = model("age", "bmi")
    seen = DriftMonitor(board, lambda: found)
    seen.open_sink()(collected(drawn(MIN_JUDGED_ROWS)))
    assert [feature for feature, _ in seen.indices()] == ["age"]


def test_a_full_disk_leaves_the_other_metrics(board: Scoreboard, monkeypatch: pytest.MonkeyPatch):
    """Only the drift is missing."""

    def full(*_: object) -> int:
        raise OSError

    monkeypatch.setattr("os.pwrite", full)
    found = model("age", "bmi")
    assert list(DriftMonitor(board, lambda: found).indices()) == []
