"""What becomes of the requests of one turn of the event loop."""

import logging
import threading

import pytest

from azureml_scoring.http import turn
from fake_turn import Place, Scoring


@pytest.fixture
def place() -> Place:
    return Place()


def test_the_requests_of_a_turn_take_each_step_together(place: Place):
    """They are reported once all have their answers; the log is written in one piece."""
    first, second = place.transport(), place.transport()
    place.add(first, place.steps("1"))
    place.add(second, place.steps("2"))
    assert (first.written, place.in_flight) == ([], [])
    place.loop.run()
    assert place.done == [
        "read 1",
        "read 2",
        "predict 1",
        "predict 2",
        "send 1",
        "send 2",
        "tell 1",
        "tell 2",
    ]
    assert place.told() == "line 1\nline 2\n"
    assert place.in_flight == [2]


def test_answers_keep_their_order_on_a_connection(place: Place):
    """A client that pipelines tells them apart only by that."""
    transport = place.transport()
    for name in ("1", "2", "3"):
        place.add(transport, place.steps(name))
    place.loop.run()
    assert transport.written == [b"1", b"2", b"3"]
    assert place.done[-3:] == ["tell 1", "tell 2", "tell 3"]


def test_the_next_turn_is_as_the_first(place: Place):
    """Nothing is written twice, and nothing is kept."""
    transport = place.transport()
    for name in ("1", "2"):
        place.add(transport, place.steps(name))
        place.loop.run()
    assert transport.written == [b"1", b"2"]
    assert place.told() == "line 1\nline 2\n"
    place.log.write("between turns\n")
    assert place.told().endswith("between turns\n")


def test_each_turn_has_its_own_joint_prediction(place: Place):
    """A row is predicted with those that are answered with it."""
    first = place.turn.joint
    place.add(place.transport(), place.steps("1"))
    assert place.turn.joint is first
    place.loop.run()
    assert place.turn.joint is not first


def test_a_turn_may_end_before_its_time(place: Place):
    """Requests that come after it are answered as well."""
    transport = place.transport()
    place.add(transport, place.steps("1"))
    place.turn.end()
    assert transport.written == [b"1"]
    place.add(transport, place.steps("2"))
    place.loop.run()
    assert transport.written == [b"1", b"2"]


def test_few_requests_wait_for_one_another(place: Place):
    """A turn of many begins to answer before it has computed all."""
    transports = [place.transport() for _ in range(turn.MAX_REQUESTS_PER_TURN)]
    for transport in transports:
        assert not transport.written
        place.add(transport, place.steps("answer"))
    assert all(transport.written == [b"answer"] for transport in transports)


def test_scores_that_take_their_time_do_not_wait(place: Place, monkeypatch: pytest.MonkeyPatch):
    """The first turn shows how long they take; from the second on they do not wait."""
    transports = [place.transport() for _ in range(4)]
    for limit, transport, written in zip(
        (-1.0, 60.0, 60.0, 60.0), transports, (0, 1, 0, 0), strict=True
    ):
        monkeypatch.setattr(turn, "MAX_SHARED_TURN_S", limit)
        place.add(transport, place.steps("answer"))
        assert len(transport.written) == written
        if limit < 0:
            place.loop.run()
    place.loop.run()
    assert all(transport.written == [b"answer"] for transport in transports)


def test_what_took_long_to_read_does_not_let_others_wait(place: Place):
    """A large body delays an answer as a large model does."""
    slow, quick = place.transport(), place.transport()
    place.add(slow, place.steps("1"), ago=60.0)
    place.loop.run()
    place.add(quick, place.steps("2"))
    assert quick.written == [b"2"]


def test_who_has_gone_is_not_answered(place: Place):
    """The others are answered."""
    gone, there = place.transport(), place.transport()
    gone.closed = True
    place.add(gone, place.steps("1"))
    place.add(there, place.steps("2"))
    place.loop.run()
    assert (gone.written, there.written) == ([], [b"2"])


def test_lines_of_other_threads_wait_for_no_turn(place: Place):
    """They are not held back, and none gets lost."""
    told: list[str] = []

    class Threaded(Scoring):
        def report(self) -> None:
            thread = threading.Thread(target=place.log.write, args=("theirs\n",))
            thread.start()
            thread.join()
            told.append(place.told())

    place.add(place.transport(), Threaded(place))
    place.loop.run()
    assert told == ["theirs\n"]


def test_a_turn_that_fails_leaves_no_client_waiting(
    place: Place, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    """Its connections end, the log says why, and the next turn works."""
    monkeypatch.setattr(turn, "logger", logging.getLogger("test"))

    class Broken(Scoring):
        def predict(self) -> None:
            raise ZeroDivisionError

    transports = [place.transport() for _ in range(2)]
    place.add(transports[0], Broken(place))
    place.add(transports[1], place.steps("2"))
    place.loop.run()
    assert all(transport.closed for transport in transports)
    assert "ZeroDivisionError" in caplog.text
    after = place.transport()
    place.add(after, place.steps("3"))
    place.loop.run()
    assert after.written == [b"3"]


def test_lines_are_written_even_of_a_turn_that_is_broken_off(place: Place):
    """A signal may interrupt it."""

    class Stopped(Scoring):
        def predict(self) -> None:
            place.log.write("before\n")
            raise KeyboardInterrupt

    place.add(place.transport(), Stopped(place))
    with pytest.raises(KeyboardInterrupt):
        place.loop.run()
    place.log.write("after\n")
    assert place.told() == "before\nafter\n"
