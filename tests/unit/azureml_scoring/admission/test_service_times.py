"""What is expected of a score, from those before it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_scoring.admission.service_times import Durations, ServiceTimes, WorkKind

SECONDS = st.floats(0.0, 200.0)


@given(st.lists(SECONDS, min_size=1, max_size=50), SECONDS)
def test_expectations_lie_within_what_was_seen(seconds: list[float], elapsed: float):
    """The rest of a score is never negative."""
    durations = Durations()
    for one in seconds:
        durations.add(one)
    assert min(seconds) - 1e-9 <= durations.mean <= max(seconds) + 1e-9
    assert 0.0 <= durations.remaining(elapsed) <= max(*seconds, elapsed) + 1e-9


def test_one_that_has_outlasted_most_has_long_to_go():
    """If one in twenty takes 400 ms and the others 5, one that runs for 10 ms is of the first."""
    durations = Durations()
    for number in range(200):
        durations.add(0.4 if number % 20 == 0 else 0.005)
    assert durations.remaining(0.01) == pytest.approx(0.39, abs=0.001)


def test_recent_scores_count_most():
    """A model that has become slower is known to be after two hundred scores."""
    durations = Durations()
    for seconds in [0.01] * 1000 + [0.1] * 200:
        durations.add(seconds)
    assert durations.mean > 0.08


def test_kinds_are_told_apart():
    """Large requests do not make small ones look slow."""
    times = ServiceTimes()
    for _ in range(5):
        times.add(WorkKind.of("predict", 1), 0.001)
        times.add(WorkKind.of("predict", 100), 0.1)
    assert times.expected(WorkKind.of("predict", 1)) == pytest.approx(0.001)
    assert times.expected(WorkKind.of("predict", 100)) == pytest.approx(0.1)
    assert 0.001 < times.expected(WorkKind.of("predict", 10)) < 0.1


def test_before_the_first_score_no_time_is_expected():
    """Nothing is refused on a guess."""
    assert ServiceTimes().expected(WorkKind.of("predict", 1)) == 0.0
