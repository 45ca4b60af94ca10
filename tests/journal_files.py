"""Writes journals of rollouts and reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlops.endpoint import EndpointError
from mlops.rollout import progress
from mlops.rollout.journal import Journal


def written(file: Path, rollout: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return what ``last`` should return, as JSON."""
    expected: list[dict[str, Any]] = []
    journal = Journal(file, clock=lambda: 1.7e9)
    for name, what in rollout:
        journal.write(name, **what)
        event = {"at": 1.7e9, "event": name, **what}
        expected = [event] if name == "started" else [*expected, event]
    return plain(expected)


def plain(found: Any) -> list[dict[str, Any]]:
    text = json.dumps(found, ensure_ascii=False).encode(errors="replace")
    read: list[dict[str, Any]] = json.loads(text)
    return read


def read(file: Path) -> list[Any] | None:
    """The last rollout, each event fit to be told; None where the journal is refused in one
    sentence."""
    journal = Journal(file)
    try:
        found = journal.last()
        journal.continued("k")
        journal.promoted("k")
    except EndpointError:
        return None
    assert all(progress.line_of(event) and progress.follow(event) is None for event in found)
    return found
