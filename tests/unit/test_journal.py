"""The journal of rollouts."""

from pathlib import Path

import pytest

from mlops.rollout.endpoint import EndpointError
from mlops.rollout.journal import Journal, Outcome


def test_a_half_written_line_costs_no_other(tmp_path: Path):
    """What is written next stands on a line of its own, whatever bytes are before it."""
    file = tmp_path / "journal.jsonl"
    file.write_bytes(b'{"at": 1.0, "event": "started"}\n{"at": 2.0, "ev\xff\x00')
    Journal(file).write("started", key="v3")
    Journal(file).write("ended", outcome=Outcome.PROMOTED)
    assert [event["event"] for event in Journal(file).last()] == ["started", "ended"]
    assert Journal(file).last()[0]["key"] == "v3"


def test_a_journal_is_written_by_one_rollout_at_a_time(tmp_path: Path):
    """The second, and one that can't write at all, are told before anything is changed."""
    file = tmp_path / "journal.jsonl"
    with (
        Journal(file).alone(),
        pytest.raises(EndpointError, match="Another rollout is writing"),
        Journal(file).alone(),
    ):
        pass
    with pytest.raises(EndpointError, match="can't be written"), Journal(file / "below" / "a file").alone():
        pass
    with Journal(file).alone():
        pass
