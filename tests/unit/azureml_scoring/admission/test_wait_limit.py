"""How long a request may wait: longer in a burst than while too much work arrives."""

import pytest

from azureml_scoring.admission.wait_limit import OfferedLoad, WaitLimit


def offer(limit: WaitLimit, seconds: float, load: float, wait_s: float, now: float = 0.0) -> float:
    """Offer requests of 50 ms, all of which would wait for ``wait_s``; return the time after."""
    until = now + seconds
    while now < until:
        limit.offer(now, 0.05, slots=1)
        limit.admits(now, wait_s, 0.05, 0.05)
        now += 0.05 / load
    return now


def test_a_burst_may_wait_for_half_a_second():
    """That is the SLO's P99 with an objective of 200 ms, its P95."""
    limit = WaitLimit(0.2)
    assert limit.admits(0.0, 0.49, 0.05, 0.05)
    assert not limit.admits(0.0, 0.51, 0.05, 0.05)


def test_a_queue_that_stands_is_shortened_if_more_arrives_than_can_be_done():
    """Answers come within the objective again, for all that can be answered."""
    limit = WaitLimit(0.2)
    now = offer(limit, 3.0, load=1.5, wait_s=0.3)
    assert limit.strict
    assert not limit.admits(now, 0.1, 0.05, 0.05)
    assert limit.admits(now, 0.05, 0.05, 0.05)


def test_a_long_queue_alone_does_not_make_it_strict():
    """Below capacity it will be gone by itself."""
    limit = WaitLimit(0.2)
    offer(limit, 3.0, load=0.9, wait_s=0.3)
    assert not limit.strict


def test_it_is_patient_again_once_less_arrives_than_can_be_done():
    """A burst after an overload is answered too."""
    limit = WaitLimit(0.2)
    now = offer(limit, 3.0, load=2.0, wait_s=0.3)
    offer(limit, 10.0, load=0.5, wait_s=0.0, now=now)
    assert not limit.strict


def test_slow_work_may_wait_for_more_of_its_kind():
    """A score of two seconds is worth waiting for longer than 200 ms."""
    limit = WaitLimit(0.2)
    assert limit.admits(0.0, 4.0, 2.0, 2.0)
    assert limit.patience_s(2.0) == 5.0


@pytest.mark.parametrize("load", [0.5, 1.0, 3.0])
def test_the_offered_load_is_measured(load: float):
    """1.0 is what the slots can do; it is soon near, and fades when nothing arrives."""
    offered = OfferedLoad()
    for number in range(40):
        offered.add(number * 0.05, 0.05 * load)
    assert offered.value(40 * 0.05) == pytest.approx(load, rel=0.1)
    assert offered.value(30.0) < 0.01
