"""The journal of rollouts."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops.cli import main
from mlops.endpoint import EndpointError, State, Traffic, direct
from mlops.rollout import progress, report, targets
from mlops.rollout.claim import EndpointClaim
from mlops.rollout.guard import recover
from mlops.rollout.journal import Journal, RolloutOutcome
from mlops.rollout.plan import Action
from mlops.slo import Slo
from simulated_endpoint import NEW, OLD, PLAN, Simulated
from still_endpoint import GREEN, ROLLING, WORKSPACE, Still

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
    "proven": {"step": steps, "both_live": st.none() | st.tuples(times, times)},
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
WAIVED = ["--without", "golden-rows", "--without", "predictions"]
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


@settings(max_examples=100)
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


@settings(max_examples=100)
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


@settings(max_examples=100)
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
    assert (refused.exit_code, refused.output) == (1, f"Error: {told}")
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
    assert (refused.exit_code, refused.output.count("\n")) == (1, 1)
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


@settings(max_examples=10)
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
