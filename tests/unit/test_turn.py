"""What one turn of the event loop has to say."""

import io
import threading
from types import SimpleNamespace
from typing import Any

import pytest

import turn
from telemetry import JsonLines
from turn import Turn


class Loop:
    """Calls back when it is told to."""

    def __init__(self) -> None:
        self.soon: list[Any] = []

    def call_soon(self, callback: Any) -> None:
        self.soon.append(callback)

    def run(self) -> None:
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()


class Transport:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closing = False

    def is_closing(self) -> bool:
        return self.closing

    def write(self, data: bytes) -> None:
        self.written.append(data)


@pytest.fixture
def place() -> Any:
    stream = io.StringIO()
    log = JsonLines(stream)
    return SimpleNamespace(loop=Loop(), log=log, told=stream.getvalue, turn=Turn(log))


def test_answers_and_lines_are_said_at_the_end_of_the_turn(place: Any):
    """In one piece for each connection, in order, and one for the log."""
    first, second = Transport(), Transport()
    for transport, answer in ((first, b"1"), (second, b"2"), (first, b"3")):
        place.turn.begin(place.loop)
        place.log.write(f"line {answer.decode()}\n")
        place.turn.send(transport, answer)
    assert (first.written, second.written, place.told()) == ([], [], "")
    place.loop.run()
    assert (first.written, second.written) == ([b"13"], [b"2"])
    assert place.told() == "line 1\nline 2\nline 3\n"


def test_the_next_turn_is_as_the_first(place: Any):
    """Nothing is said twice, and nothing is kept."""
    transport = Transport()
    for answer in (b"1", b"2"):
        place.turn.begin(place.loop)
        place.log.write("line\n")
        place.turn.send(transport, answer)
        place.loop.run()
    assert transport.written == [b"1", b"2"]
    assert place.told() == "line\nline\n"
    place.log.write("between turns\n")
    assert place.told().endswith("between turns\n")


def test_a_turn_may_end_before_its_time(place: Any):
    """Where something else is to be written; what comes after is said all the same."""
    transport = Transport()
    place.turn.begin(place.loop)
    place.turn.send(transport, b"1")
    place.turn.end()
    assert transport.written == [b"1"]
    place.turn.begin(place.loop)
    place.turn.send(transport, b"2")
    place.loop.run()
    assert transport.written == [b"1", b"2"]


def test_few_answers_wait_for_one_another(place: Any):
    """A turn of many requests begins to answer before it has computed all."""
    transports = [Transport() for _ in range(turn.MOST)]
    place.turn.begin(place.loop)
    for transport in transports:
        assert not transport.written
        place.turn.send(transport, b"answer")
    assert all(transport.written == [b"answer"] for transport in transports)


def test_who_has_gone_is_not_answered(place: Any):
    """The others are."""
    gone, there = Transport(), Transport()
    gone.closing = True
    place.turn.begin(place.loop)
    place.turn.send(gone, b"answer")
    place.turn.send(there, b"answer")
    place.loop.run()
    assert (gone.written, there.written) == ([], [b"answer"])


def test_lines_of_other_threads_wait_for_no_turn(place: Any):
    """They have none, and must not get lost between two."""
    place.turn.begin(place.loop)
    thread = threading.Thread(target=place.log.write, args=("theirs\n",))
    thread.start()
    thread.join()
    assert place.told() == "theirs\n"
