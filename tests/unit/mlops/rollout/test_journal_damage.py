"""A journal that can't be read stops a rollout, and never a rollback."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from journal_files import read, written
from mlops.cli import main
from mlops.endpoint import State, Traffic, direct
from mlops.exit_status import ExitStatus
from mlops.rollout import targets
from mlops.rollout.claim import EndpointClaim
from mlops.rollout.guard import recover
from mlops.rollout.journal import Journal, RolloutOutcome
from simulated_endpoint import NEW, OLD, PLAN, Simulated
from still_endpoint import GREEN, ROLLING, WORKSPACE, Still

WAIVED = ["--without", "golden-rows", "--without", "predictions"]


@pytest.mark.parametrize(
    "line",
    [
        *(
            b"5",
            b"null",
            b"[1]",
            b"{}",
            b'{"at":1}',
            b'{"at": 1, "event": "paused"}',
            b'{"at": NaN, "event": "trouble"}',
        ),
        *(
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b'{"at": ' + b"9" * 5000 + b"}",
            b"<<<<<<< HEAD",
            b"\xff\xfe",
            b'"x"',
        ),
        *(
            b'{"at": 1e300, "event": "trouble", "error": "x"}',
            b'{"event": "ended", "outcome": "promoted"}',
        ),
    ],
)
def test_a_line_that_no_rollout_wrote_is_told(
    tmp_path: Path, line: bytes, monkeypatch: pytest.MonkeyPatch
):
    """A rollout does not begin; a rollback, which goes by the endpoint, goes on."""
    endpoint = Still({"blue": 50, "green": 50})
    monkeypatch.setattr(targets, "connector", lambda *_: lambda: endpoint)
    file = tmp_path / "diabetes.jsonl"
    written(
        file, [("started", {"key": "k", "endpoint": "e", "plan": {"old": "blue", "new": "green"}})]
    )
    file.write_bytes(file.read_bytes() + line + b"\n")
    assert read(file) is None
    (tmp_path / "green.yml").write_text(GREEN)
    told = f"Line 2 of {file} is not what a rollout writes; correct it, or move the file away.\n"
    refused = mlops("rollout", tmp_path / "green.yml", *WAIVED, "--out", tmp_path)
    assert (refused.exit_code, refused.output) == (ExitStatus.SERVER, f"Error: {told}")
    assert endpoint.traffic() == Traffic({"blue": 50, "green": 50})
    endpoint.tags = ROLLING.on({})
    done = mlops("rollback", "diabetes", "--out", tmp_path)
    assert (done.exit_code, told in done.output) == (0, True)
    assert endpoint.traffic() == Traffic({"blue": 100})


def mlops(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], env=WORKSPACE)


def test_a_journal_that_can_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder in its place, say. A rollback goes by the endpoint all the same."""
    endpoint = Still({"blue": 50, "green": 50})
    endpoint.tags = ROLLING.on({})
    monkeypatch.setattr(targets, "connector", lambda *_: lambda: endpoint)
    (tmp_path / "green.yml").write_text(GREEN)
    (tmp_path / "diabetes.jsonl").mkdir()
    refused = mlops("rollout", tmp_path / "green.yml", *WAIVED, "--out", tmp_path)
    assert (refused.exit_code, refused.output.count("\n")) == (ExitStatus.UNUSABLE, 1)
    done = mlops("rollback", "diabetes", "--out", tmp_path)
    for output in (refused.output, done.output):
        assert f"{tmp_path / 'diabetes.jsonl'}" in output
    assert done.exit_code == 0
    assert endpoint.traffic() == Traffic({"blue": 100})


def test_traffic_goes_back_though_the_journal_was_damaged_meanwhile(tmp_path: Path):
    """What was proven is not to be guessed, so the old deployment gets all of it."""
    endpoint = Simulated()
    endpoint.states[NEW] = State.READY
    direct(endpoint, Traffic({OLD: 50, NEW: 50}))
    (tmp_path / "journal.jsonl").write_bytes(b"no journal\n")
    assert (
        recover(
            endpoint,
            PLAN,
            Journal(tmp_path / "journal.jsonl"),
            "it died",
            [],
            claim=EndpointClaim(endpoint, "run"),
        )
        is RolloutOutcome.INTERRUPTED
    )
    assert endpoint.in_force == Traffic({OLD: 100})
