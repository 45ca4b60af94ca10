import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azureml_scoring.admission.slot_correction import (
    MAX_CHANGE,
    REST_WINDOWS,
    WINDOW,
    SlotCorrection,
)
from azureml_scoring.processor_time import Spent

MAX_SLOTS = 48
seconds = st.floats(0, 10)


def served(
    correction: SlotCorrection,
    *,
    cpu_s: float,
    wait_s: float,
    processors: float,
    scores: int,
    load: int | None = None,
) -> list[int]:
    """Compute ``scores`` equal ones, ``load`` at once (None: as many as there are slots).

    ``processors``: how many they can keep busy, 1 if they hold the GIL. Returns the slots after
    each.
    """
    course = []
    for _ in range(scores):
        running = min(load or correction.slots, correction.slots)
        alone_s = cpu_s + wait_s
        wall_s = max(alone_s, running * cpu_s / processors)
        spent = Spent(wall_s, cpu_s, process_cpu_s=running * cpu_s)
        course.append(correction.note(spent, running))
    return course


@given(
    start=st.integers(1, MAX_SLOTS),
    parallelism=st.integers(1, 16),
    scores=st.lists(st.tuples(seconds, seconds, seconds, st.integers(1, MAX_SLOTS)), max_size=400),
)
def test_slots_stay_within_bounds_and_change_slowly(start, parallelism, scores):
    """Whatever is measured: at most a quarter, or one, at once, and then not before a window."""
    correction = SlotCorrection(start, parallelism=parallelism, max_slots=MAX_SLOTS)
    before, since = start, 0
    for wall_s, cpu_s, process_cpu_s, running in scores:
        slots = correction.note(Spent(wall_s, cpu_s, process_cpu_s), running)
        since += 1
        assert 1 <= slots <= MAX_SLOTS
        if slots != before:
            assert abs(slots - before) <= max(1, int(MAX_CHANGE * before))
            assert since >= WINDOW
            before, since = slots, 0


@settings(deadline=None)
@given(processors=st.integers(1, 8), factor=st.floats(2, 30))
def test_a_model_that_turns_out_to_wait_gets_the_slots_for_it(processors: int, factor: float):
    """Its processors are in use at the end, though the trial saw no waiting."""
    correction = SlotCorrection(processors, parallelism=processors, max_slots=MAX_SLOTS)
    course = served(
        correction, cpu_s=1, wait_s=factor - 1, processors=processors, scores=40 * WINDOW
    )
    assert course[-1] >= 0.69 * min(processors * factor, MAX_SLOTS)
    assert course[-1] <= math.ceil(processors * factor)


@given(parallelism=st.integers(1, 16), slots=st.integers(1, MAX_SLOTS))
def test_more_slots_that_do_not_help_are_given_back(parallelism: int, slots: int):
    """A model that holds the GIL after all gets one step more from time to time, never two."""
    correction = SlotCorrection(slots, parallelism=parallelism, max_slots=MAX_SLOTS)
    course = served(correction, cpu_s=1, wait_s=0, processors=1, scores=60 * WINDOW)
    step = max(1, int(MAX_CHANGE * slots))
    assert set(course) <= {slots, slots + step, min(slots + step, MAX_SLOTS)}
    assert sum(reached > slots for reached in course) <= len(course) * 2 / REST_WINDOWS


@given(parallelism=st.integers(1, 8), slots=st.integers(1, MAX_SLOTS), factor=st.floats(1, 40))
def test_scores_at_ease_take_slots_away_that_are_not_needed(parallelism, slots, factor):
    """What the trial took for waiting, a slow first connection perhaps, does not stay."""
    correction = SlotCorrection(slots, parallelism=parallelism, max_slots=MAX_SLOTS)
    course = served(
        correction, cpu_s=1, wait_s=factor - 1, processors=parallelism, scores=60 * WINDOW, load=1
    )
    needed = max(1, round(parallelism * factor))
    assert course[-1] <= max(needed, needed / 0.69)
    assert course[-1] >= min(slots, needed)


@pytest.mark.parametrize("slots", [1, 2, 8])
def test_slots_that_are_right_stay(slots: int):
    """A service under full load is not disturbed by attempts."""
    correction = SlotCorrection(slots, parallelism=slots, max_slots=MAX_SLOTS)
    assert set(served(correction, cpu_s=1, wait_s=0.1, processors=slots, scores=20 * WINDOW)) == {
        slots
    }
