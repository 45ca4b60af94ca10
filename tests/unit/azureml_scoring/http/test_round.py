"""How long one round of the event loop computes, and what waits for the next."""

import math

import pytest

from azureml_scoring.errors import Overloaded
from azureml_scoring.http import turn
from fake_turn import Place


@pytest.fixture
def place() -> Place:
    return Place()


def test_after_a_slice_of_one_round_further_requests_wait(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    """The next round answers them, and then the loop is at ease again."""

    class Waiting:
        def compute(self) -> None:
            place.add(transport, place.steps("2"))

        def refuse(self, error: Overloaded) -> None:
            raise AssertionError

    transport = place.transport()
    monkeypatch.setattr(turn, "SLICE_S", -1.0)
    place.add(transport, place.steps("1"))
    place.turn.end()
    assert place.turn.backlog.behind
    place.turn.backlog.join(Waiting(), 100, math.inf)
    assert transport.written == [b"1"]
    place.loop.run()
    assert transport.written == [b"1", b"2"]
    assert not place.turn.backlog.behind


def test_what_is_computed_beside_the_turns_counts_too(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    """The loop is behind until its next round."""
    monkeypatch.setattr(turn, "SLICE_S", -1.0)
    with place.turn.inline(place.loop):  # type: ignore[arg-type]
        assert not place.turn.backlog.behind
    assert place.turn.backlog.behind
    place.loop.run()
    assert not place.turn.backlog.behind


def test_a_round_that_fails_is_not_the_last(place: Place):
    """What waits in the backlog is computed in the rounds after it."""
    computed: list[str] = []

    class Waiting:
        def __init__(self, name: str) -> None:
            self.name = name

        def compute(self) -> None:
            computed.append(self.name)
            if self.name == "broken":
                raise ZeroDivisionError

        def refuse(self, error: Overloaded) -> None:
            raise AssertionError

    place.add(place.transport(), place.steps("1"))
    place.turn.backlog.fall_behind(0.001)
    for name in ("broken", "2"):
        place.turn.backlog.join(Waiting(name), 10, math.inf)
    with pytest.raises(ZeroDivisionError):
        place.loop.run()
    place.loop.run()
    assert computed == ["broken", "2"]
