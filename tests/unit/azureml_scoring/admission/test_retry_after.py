import heapq
import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from azureml_scoring.admission.retry_after import JITTER, MAX_RETRY_S, MIN_RETRY_S, Appointments

seconds = st.floats(0, 100)


@given(
    refusals=st.lists(st.tuples(seconds, seconds, st.floats(0, 5)), min_size=1),
    seed=st.integers(),
)
def test_a_refused_client_waits_neither_for_no_time_nor_for_ever(
    refusals: list[tuple[float, float, float]], seed: int
):
    """Until a slot is free at least, but at most some seconds."""
    appointments = Appointments(random.Random(seed).uniform)
    now = 0.0
    for passed, drain, request in refusals:
        now += passed
        wait = appointments.retry_after_s(now, drain, request)
        assert max(MIN_RETRY_S, min(drain, MAX_RETRY_S)) <= wait + 1e-9
        assert wait <= MAX_RETRY_S * (1 + JITTER) + 1e-9


@given(count=st.integers(2, 50), request=st.floats(0.001, 0.05), drain=st.floats(0, 2))
def test_those_refused_at_once_come_back_one_by_one(count: int, request: float, drain: float):
    """Each has as long as its request takes."""
    appointments = Appointments(lambda low, high: low)
    waits = [appointments.retry_after_s(1.0, drain, request) for _ in range(count)]
    gaps = [later - wait for wait, later in itertools.pairwise(waits)]
    assert min(gaps) >= 0
    assert waits[-1] >= drain + request * count - 1e-9


def test_appointments_that_have_passed_are_forgotten():
    """Once the load is gone, a client is told to come back at once."""
    appointments = Appointments(lambda low, high: low)
    for _ in range(1000):
        busy = appointments.retry_after_s(0.0, 0.5, 0.05)
    assert busy == MAX_RETRY_S
    assert appointments.retry_after_s(100.0, 0.0, 0.01) == MIN_RETRY_S


def test_clients_that_keep_their_appointments_are_soon_all_answered():
    """A burst of 4 seconds of work is done in hardly longer than it must take, and a client is
    refused once or twice."""
    random_ = random.Random(1)
    appointments, work, clients = Appointments(random_.uniform), 0.05, 80
    arrivals = [(random_.uniform(0, 0.5), client) for client in range(clients)]
    heapq.heapify(arrivals)
    tries, free, last = 0, 0.0, 0.0
    while arrivals:
        now, client = heapq.heappop(arrivals)
        tries += 1
        drain = max(free - now, 0.0)
        if drain <= work:
            free = last = now + drain + work
        else:
            later = now + appointments.retry_after_s(now, drain, work)
            heapq.heappush(arrivals, (later, client))
    assert tries < 3 * clients
    assert last < 1.5 * clients * work
