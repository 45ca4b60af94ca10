import os
import threading
import time
from pathlib import Path

import pytest

from azureml_scoring.body_budget import BodyBudget, container_memory
from azureml_scoring.errors import DeadlineExceeded, Overloaded


def test_bodies_beyond_the_budget_are_refused_until_others_are_answered():
    """The answer is 503: the request may be right, and there is room a moment later."""
    budget = BodyBudget(100)
    with budget.hold(0.0) as first, budget.hold(0.0) as second:
        first.take(60)
        with pytest.raises(Overloaded) as refused:
            second.take(41)
        assert refused.value.headers == {"Retry-After": "1", "retry-after-ms": "1000"}
        second.take(40)
    with budget.hold(0.0) as third:
        third.take(100)


def test_a_request_that_is_alone_always_has_room():
    """A budget below the largest body slows clients down; it locks nobody out."""
    budget = BodyBudget(10)
    with budget.hold(0.0) as alone, budget.hold(0.0) as other:
        alone.take(50)
        alone.take(50)
        with pytest.raises(Overloaded):
            other.take(1)
    with budget.hold(0.0) as later:
        later.take(50)


def test_of_bodies_that_come_together_as_many_are_taken_as_there_is_room_for():
    """A body that finds no more room gives back what it holds."""
    budget = BodyBudget(100)
    coming = [budget.hold(0.0) for _ in range(10)]
    for _ in range(5):
        coming = [held for held in coming if held.no_room(10) is None]
    assert len(coming) == 2


def test_large_bodies_take_turns():
    """One is parsed at a time; a request waits for its turn until its own deadline."""
    budget = BodyBudget(100)
    due = time.monotonic() + 60
    with budget.hold(due) as first, budget.hold(time.monotonic() + 0.01) as hurried:
        first.turn()
        first.turn()
        with pytest.raises(DeadlineExceeded):
            hurried.turn()
        first.end_turn()
        with budget.hold(due) as second:
            second.turn()
    with budget.hold(due) as third:
        third.turn()


def test_a_turn_passes_to_a_request_that_waits():
    """It is next as soon as the one before it ends."""
    budget = BodyBudget(100)
    due = time.monotonic() + 60
    first, second = budget.hold(due), budget.hold(due)
    first.turn()
    waiting = threading.Thread(target=second.turn)
    waiting.start()
    first.release()
    waiting.join(60)
    assert not waiting.is_alive()


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1048576\n"], 1_048_576),
        (["max\n"], None),
        ([], None),
        (["9223372036854771712\n"], None),
        (["max", "5000"], 5000),
    ],
)
def test_the_containers_memory_is_what_it_may_use(
    tmp_path: Path, texts: list[str], expected: int | None
):
    """The cgroup, of either version, sets it; without a limit it is the machine's."""
    files = [tmp_path / str(number) for number in range(2)]
    for file, text in zip(files, texts, strict=False):
        file.write_text(text)
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert container_memory(tuple(map(str, files))) == (expected or machine)
