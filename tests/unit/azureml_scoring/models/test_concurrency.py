import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_scoring.models.concurrency import (
    MAX_SLOTS,
    Alone,
    Concurrency,
    judge,
    scores_to_try,
)

seconds = st.floats(0, 1e3)
slowdowns = st.none() | st.floats(0.1, 50) | st.just(math.inf)


def judged(alone: Alone, slowdown: float | None = 1.0, processors: int = 4) -> Concurrency:
    return judge(alone, slowdown, None, processors=processors)


def computing(cpu_s: float = 0.05, wait_s: float = 0.0) -> Alone:
    return Alone(cpu_s + wait_s, cpu_s, cpu_s)


@given(
    times=st.tuples(seconds, seconds, seconds),
    slowdown=slowdowns,
    rows_slowdown=st.none() | st.floats(0.1, 100),
    processors=st.integers(1, 256),
)
def test_any_measurement_gives_slots_within_the_bounds(times, slowdown, rows_slowdown, processors):
    """A clock that stands still, or noise, stops no start-up."""
    result = judge(Alone(*times), slowdown, rows_slowdown, processors=processors)
    assert 1 <= result.slots <= MAX_SLOTS
    assert 1 <= result.parallelism <= processors
    assert result.reason
    assert (result.rows_together_are_cheaper is None) == (rows_slowdown is None)


@given(processors=st.integers(2, 64), cpu_s=st.floats(1e-6, 10))
def test_work_without_waiting_gets_the_processors_or_one_slot(processors: int, cpu_s: float):
    """As it frees the GIL or holds it."""
    frees = judged(computing(cpu_s), 1.0, processors)
    holds = judged(computing(cpu_s), 2.0, processors)
    assert (frees.kind, frees.slots) == ("frees the GIL", min(processors, MAX_SLOTS))
    assert (holds.kind, holds.slots) == ("holds the GIL", 1)


@given(shares=st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)), slowdown=slowdowns)
def test_who_waits_more_gets_no_fewer_slots(shares: tuple[float, float], slowdown):
    """A processor is never left idle for it."""
    less, more = sorted(shares)
    slots = [judged(computing(1 - share, wait_s=share), slowdown).slots for share in (less, more)]
    assert slots[0] <= slots[1]


@pytest.mark.parametrize(
    ("alone", "slowdown", "kind", "slots"),
    [
        (computing(0.0001, wait_s=0.1), 1.0, "waits", MAX_SLOTS),
        (computing(0.05, wait_s=0.05), 1.0, "waits", 8),
        (computing(0.05, wait_s=0.05), 2.0, "waits", 2),
        (computing(0.05, wait_s=0.04), 2.0, "holds the GIL", 2),
        (Alone(0.05, 0.2, 0.05), 4.0, "frees the GIL", 1),
        (Alone(0.05, 0.1, 0.05), 2.0, "frees the GIL", 2),
        (computing(), math.inf, "must be alone", 1),
        (computing(0.01, wait_s=0.09), math.inf, "must be alone", 1),
    ],
)
def test_slots_are_processors_in_use_times_wall_over_processor_time(alone, slowdown, kind, slots):
    """On 4 processors; work with threads of its own needs fewer, whose contention is no GIL."""
    result = judged(alone, slowdown)
    assert (result.kind, result.slots) == (kind, slots)


def test_one_processor_needs_no_second_score():
    """Scores at once are not tried there; only waiting gives more slots."""
    assert judged(computing(), None, processors=1).slots == 1
    assert judged(computing(0.01, wait_s=0.09), None, processors=1).slots == 10


@pytest.mark.parametrize(
    ("slowdown", "cheaper"), [(1.0, True), (1.9, True), (2.1, False), (8.0, False)]
)
def test_rows_together_are_cheaper_if_the_call_costs_more_than_a_row(slowdown, cheaper):
    """Eight rows in the time of two: a quarter each."""
    result = judge(computing(), 1.0, slowdown, processors=2)
    assert result.rows_together_are_cheaper is cheaper


def test_the_reason_is_a_sentence_for_operators():
    """It says what was seen, and what follows."""
    assert judged(computing(), 2.0).reason == (
        "2 scores at once take 2.0 times as long as one: the model holds the GIL"
    )


@pytest.mark.parametrize(("share", "count"), [(0, 2), (0.5, 4), (0.75, 8), (1, 8)])
def test_as_many_are_tried_as_need_two_processors(share: float, count: int):
    """Of a model that waits half of its time, two would dovetail and tell nothing; another
    service is not asked more than eight times at once."""
    assert scores_to_try(computing(1 - share, wait_s=share)) == count
