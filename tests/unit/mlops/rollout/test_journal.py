"""The journal of rollouts."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journal_files import plain, read, written
from mlops.endpoint import EndpointError
from mlops.rollout import report
from mlops.rollout.journal import Journal, RolloutOutcome
from mlops.rollout.plan import Action
from mlops.slo import Slo

shares = st.dictionaries(st.sampled_from(["blue", "green"]), st.integers(0, 100))
steps = st.fixed_dictionaries(
    {"action": st.sampled_from([*Action]), "percent": st.integers(0, 100)}
)
times = st.floats(0, 4e9)
latencies = st.none() | st.floats(0, 1e6)
figures = st.fixed_dictionaries(
    {"requests": st.integers(0, 10**6), "failed": st.integers(0, 10**6)}
    | dict.fromkeys(("p50_ms", "p95_ms", "p99_ms"), latencies)
)
findings = st.lists(
    st.fixed_dictionaries(
        {"check": st.text(), "standing": st.sampled_from(["fine", "open"]), "text": st.text()}
    ),
    max_size=2,
)
outcomes = st.sampled_from([*RolloutOutcome])
SHAPES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "step": {"step": steps},
    "proven": {"step": steps},
    "traffic": {"share": st.integers(0, 100), "live": shares, "mirror": shares},
    "look": {"findings": findings, "new": figures, "old": figures},
    "back": {
        "reason": st.text(),
        "outcome": outcomes,
        "share": st.just(0),
        "live": shares,
        "mirror": st.just({}),
    },
    "trouble": {"error": st.text()},
    "ended": {"outcome": outcomes, "reason": st.text(), "left": st.lists(st.text(), max_size=2)},
}
PLANS = [
    {"old": "blue", "new": "green"},
    {"old": "blue", "new": "green", "unchecked": ["golden-rows"]},
]
STARTED = {"key": st.text(), "endpoint": st.text(), "plan": st.sampled_from(PLANS)}


def events(name: str) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.tuples(st.just(name), st.fixed_dictionaries(SHAPES.get(name, STARTED)))


rollouts = st.lists(st.sampled_from(["started", *SHAPES]).flatmap(events), max_size=8).map(
    lambda rest: [
        ("started", {"key": "k", "endpoint": "e", "plan": {"old": "blue", "new": "green"}}),
        *rest,
    ]
)


@given(rollouts, st.data())
def test_a_writing_that_was_cut_off_costs_only_itself(
    rollout: list[tuple[str, dict[str, Any]]], data: st.DataObject
):
    """It may be cut at any byte, with or without zeros after it, and be followed by anything."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "journal.jsonl"
        whole = written(file, rollout[:-1] or rollout)
        before = file.stat().st_size
        written(file, rollout[-1:])
        cut = data.draw(st.integers(before, file.stat().st_size - 2), label="cut")
        file.write_bytes(
            file.read_bytes()[:cut] + bytes(data.draw(st.sampled_from([0, 9]), label="zeros"))
        )
        assert plain(read(file)) == whole
        Journal(file, clock=lambda: 1.7e9).write("trouble", error="later")
        assert plain(read(file)) == [*whole, {"at": 1.7e9, "event": "trouble", "error": "later"}]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.just(10**400),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(rollouts, st.data())
def test_a_value_of_another_kind_is_told(
    rollout: list[tuple[str, dict[str, Any]]], data: st.DataObject
):
    """In any place of any event it is an error of one sentence, or a value that can be shown."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "journal.jsonl"
        written(file, rollout)
        lines = file.read_bytes().splitlines()
        number = data.draw(st.integers(0, len(lines) - 1))
        event = json.loads(lines[number])
        place = data.draw(st.sampled_from(sorted(event)))
        event[place] = data.draw(JSON)
        if isinstance(event.get("plan"), dict) and data.draw(st.booleans()):
            event["plan"] = {"old": data.draw(JSON)}
        lines[number] = json.dumps(event).encode()
        file.write_bytes(b"\n".join(lines) + b"\n")
        read(file)


@given(
    rollouts,
    st.binary(max_size=30) | JSON.map(lambda found: json.dumps(found).encode()),
    st.integers(0, 9),
    st.booleans(),
)
def test_any_bytes_are_an_event_or_told(
    rollout: list[tuple[str, dict[str, Any]]], odd: bytes, place: int, replaced: bool
):
    """They may be a line of their own, or in the middle of another."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "journal.jsonl"
        written(file, rollout)
        lines = file.read_bytes().splitlines()
        lines.insert(place, odd)
        content = b"\n".join(lines)
        file.write_bytes(
            content[: place * 20] + odd + content[place * 20 :] if replaced else content
        )
        read(file)


@pytest.mark.slow
@settings(max_examples=settings().max_examples // 5)
@given(rollouts)
def test_what_is_read_can_be_reported(rollout: list[tuple[str, dict[str, Any]]]):
    """The report is a page."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "journal.jsonl"
        written(file, rollout)
        report.write(Journal(file).last(), file.with_suffix(".html"), Slo(200, 500, 0.01))


def test_a_rollback_without_a_rollout_is_no_rollout(tmp_path: Path):
    """What it writes stands there, and the next rollout begins by itself."""
    file = tmp_path / "journal.jsonl"
    Journal(file).write(
        "back",
        reason="why",
        outcome=RolloutOutcome.ROLLED_BACK,
        share=0,
        live={"blue": 100},
        mirror={},
    )
    assert read(file) == []


def test_a_half_written_line_costs_no_other(tmp_path: Path):
    """What is written next stands on a line of its own; zeros are what a file system may leave of a
    lost end."""
    file = tmp_path / "journal.jsonl"
    file.write_bytes(b'{"at": 1.0, "event": "started", "key": "k\n{"at": 2.0, "ev\x00\x00')
    expected = written(
        file, [("started", {"key": "v3", "endpoint": "e", "plan": {"old": "a", "new": "b"}})]
    )
    assert plain(read(file)) == expected


def test_a_journal_is_written_by_one_rollout_at_a_time(tmp_path: Path):
    """The second, and one that can't write at all, are told before anything is changed."""
    file = tmp_path / "journal.jsonl"
    with (
        Journal(file).alone(),
        pytest.raises(EndpointError, match="Another rollout is writing"),
        Journal(file).alone(),
    ):
        pass
    with (
        pytest.raises(EndpointError, match="can't be written"),
        Journal(file / "below" / "a file").alone(),
    ):
        pass
    with Journal(file).alone():
        pass
