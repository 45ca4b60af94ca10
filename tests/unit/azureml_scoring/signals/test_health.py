import os
import re
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from azureml_scoring.errors import Overloaded, WrongType
from azureml_scoring.models.lifecycle import Lifecycle
from azureml_scoring.request import Outcome
from azureml_scoring.shared.cache_counts import CacheCounts
from azureml_scoring.shared.scoreboard import CacheRow, Scoreboard, WorkerPhase
from azureml_scoring.signals.cache_report import report
from azureml_scoring.signals.health import Health, RequestCounter
from places import REPOSITORY


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scoreboard:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Scoreboard(os.getpid())


class Probes(Health):
    def __init__(self, board: Scoreboard, lifecycle: Lifecycle) -> None:
        super().__init__(
            board, lifecycle, deployment="blue", saturated_after=10, stuck_after=20,
            clock=lambda: 100.0, now=lambda: board.started_at + 60,
        )  # fmt: skip


@pytest.fixture
def lifecycle(board: Scoreboard) -> Lifecycle:
    contract = SimpleNamespace(features=(), methods=("predict",))
    model = SimpleNamespace(
        name="m",
        version="1",
        contract=contract,
        version_skew=("numpy: old",),
        golden_rows=1,
        warmup_ms=1.0,
        digest="0" * 64,
        cacheable=True,
        backend="sklearn",
        estimator="loaded",
        runtime={"numpy": "2.4"},
        concurrency=SimpleNamespace(reason="2 scores at once take as long as one"),
        joint_rows_reason="off: SCORING_MICRO_BATCH_ROWS is set",
    )
    lifecycle = Lifecycle(lambda: board.mine)
    lifecycle.load(lambda: model)
    return lifecycle


def test_health_has_the_guides_fields_and_more(board: Scoreboard, lifecycle: Lifecycle):
    """It has model, uptime, counts, load, why the server is not ready, version skew and
    cache state."""
    count = RequestCounter(board, CacheCounts(lambda: board.mine))
    for error in (None, WrongType("a"), Overloaded("b")):
        count(Outcome("id", None, "trace", error=error))
    count(Outcome("id", None, "trace", non_finite=2))
    row = board.mine.admission
    row.slots, row.waiting = 2, 1
    row.offer(100.0, 30.0)
    body, status = Probes(board, lifecycle).health()
    assert status == 200
    assert body == {
        "status": "healthy",
        "model_loaded": True,
        "model_name": "m",
        "model_version": "1",
        "backend": "sklearn",
        "estimator": "loaded",
        "runtime": {"numpy": "2.4"},
        "deployment": "blue",
        "uptime_seconds": 60.0,
        "total_requests": 4,
        "error_count": 1,
        "client_error_count": 1,
        "error_rate_percent": 25.0,
        "non_finite_count": 2,
        "in_flight": 0,
        "slots": 2,
        "concurrency": "2 scores at once take as long as one",
        "micro_batching": "off: SCORING_MICRO_BATCH_ROWS is set",
        "waiting": 1,
        "offered_load": 1.5,
        "not_ready": None,
        "version_skew": ["numpy: old"],
        "cache": {"state": "off"},
    }


def test_the_page_of_health_is_the_code(board: Scoreboard, lifecycle: Lifecycle):
    """docs/health.md lists each field of the answer and of its cache, and nothing else."""
    page = (REPOSITORY / "docs" / "health.md").read_text()
    of_health, of_cache = (
        re.findall(r"^\| `(\w+)` \| (.*) \|$", part, re.MULTILINE)
        for part in page.split("| Field of ")[1:]
    )
    cache = report(["memory", "redis"], [CacheRow()], [], cacheable=True)
    assert [name for name, _ in of_health] == list(Probes(board, lifecycle).health()[0])
    assert [name for name, _ in of_cache] == list(cache)
    for name, text in of_cache:
        if isinstance(cache[name], dict):
            assert re.findall(r"`(\w+)`", text) == list(cache[name])


def test_without_a_model_health_is_503_and_liveness_200(board: Scoreboard):
    """A model that is not loaded yet is no reason to restart."""
    probes = Probes(board, Lifecycle(lambda: board.mine))
    assert probes.health()[1] == 503
    assert probes.readiness() == (
        {"status": "not ready", "reason": "The model is still loading."},
        503,
    )
    assert probes.liveness() == ({"status": "alive"}, 200)


@pytest.mark.parametrize(
    ("field", "value", "ready", "alive"),
    [
        ("phase", WorkerPhase.READY, 200, 200),
        ("phase", WorkerPhase.LOADING, 503, 200),
        ("phase", WorkerPhase.DRAINING, 503, 200),
        ("phase", WorkerPhase.FAILED, 503, 503),
        ("full_since", 95.0, 200, 200),
        ("full_since", 85.0, 503, 200),
        ("oldest_start", 85.0, 200, 200),
        ("oldest_start", 75.0, 503, 503),
    ],
)
def test_what_turns_a_probe(
    board: Scoreboard, lifecycle: Lifecycle, field: str, value: float, ready: int, alive: int
):
    """A busy server is ready and alive; overdue slots make it unready, and a stuck score makes
    liveness fail."""
    setattr(board.mine, field, value)
    probes = Probes(board, lifecycle)
    assert (probes.readiness()[1], probes.liveness()[1]) == (ready, alive)


@pytest.mark.parametrize("field", ["full_since", "oldest_start"])
def test_a_score_that_ends_while_a_probe_looks_does_not_turn_it(
    board: Scoreboard, lifecycle: Lifecycle, monkeypatch: pytest.MonkeyPatch, field: str
):
    """Another process may write at any moment: a score that just ended does not seem to run since
    the epoch."""
    values = iter([99.0, 0.0] * 10)
    idle = {"phase": WorkerPhase.READY, "full_since": 0.0, "oldest_start": 0.0}
    busy = type("Busy", (), idle | {field: property(lambda self: next(values))})
    monkeypatch.setattr(board, "workers", lambda: [busy()])
    probes = Probes(board, lifecycle)
    assert (probes.readiness()[1], probes.liveness()[1]) == (200, 200)


def test_a_stuck_worker_is_seen_by_its_siblings(board: Scoreboard, lifecycle: Lifecycle):
    """Every worker answers probes for the whole server."""
    stuck = board._board.rows[5]
    stuck.pid, stuck.born, stuck.oldest_start = board.mine.pid, board.mine.born, 75.0
    assert Probes(board, lifecycle).liveness()[1] == 503
    stuck.born += 1  # it has died: its row says nothing any more
    assert Probes(board, lifecycle).liveness()[1] == 200
