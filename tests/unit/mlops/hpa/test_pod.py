"""The model of a pod: what textbooks say of it, and what the service's own queue does."""

import heapq
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_scoring.admission.service_times import WorkKind
from azureml_scoring.admission.slot_queue import SlotQueue
from azureml_scoring.admission.ticket import Ticket
from azureml_scoring.admission.wait_limit import WaitLimit
from mlops.hpa.pod import PodLoad, PodModel

KIND = WorkKind("predict", 1)
FOR_EVER = 1e9


def pod_model(**changes: Any) -> PodModel:
    usual = {"cores": 2.0, "service": 0.02, "start": 0, "memory": 0, "held": 48, "objective": 0.2}
    return PodModel(**(usual | changes))


def loaded(model: PodModel, load: float) -> PodLoad:
    return model.under(np.array([load * model.capacity]))


def test_a_pod_with_one_slot_and_no_queue_sheds_by_erlangs_formula():
    """At an offered load of 1 it sheds half of the requests."""
    load = loaded(pod_model(cores=1.0, held=1), 1.0)
    assert load.likely[0] == pytest.approx([0.5, 0.5])
    assert load.shed == pytest.approx([0.5])


def test_waits_in_a_long_queue_are_those_of_the_textbook():
    """M/M/1 at half load: half of the requests wait, and the mean wait is the service time."""
    model = pod_model(cores=1.0, held=60, objective=9.0)
    (later,) = loaded(model, 0.5).later
    assert later[0] == pytest.approx(0.5, abs=1e-6)
    assert np.trapezoid(later, model.latencies) == pytest.approx(model.service, rel=0.02)


@given(st.floats(0, 2000), st.floats(0.1, 8), st.floats(0.001, 0.5), st.integers(1, 200))
def test_a_pod_never_does_more_than_it_can(rate: float, cores: float, service: float, held: int):
    """What it does not shed, it has the cores for; shares are shares."""
    model = pod_model(cores=cores, service=service, held=held)
    load = model.under(np.array([rate]))
    assert rate * (1 - load.shed[0]) <= model.capacity * (1 + 1e-6)
    assert 0 <= load.used[0] <= cores
    assert 0 <= load.waiting[0] <= model.places - model.slots + 1e-9
    (later,) = load.later
    assert np.all(np.diff(later) <= 1e-9)
    assert -1e-9 <= later[-1] <= later[0] <= 1 + 1e-9


def test_what_is_refused_counts_as_offered():
    """At five times its capacity the pod uses its cores and no more; its offered load is five."""
    load = loaded(pod_model(), 5.0)
    assert load.offered == pytest.approx([5.0])
    assert load.used == pytest.approx([2.0], rel=0.01)
    assert load.shed == pytest.approx([0.8], rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("load", [0.7, 1.3, 2.0, 5.0])
def test_it_sheds_what_the_services_own_queue_sheds(load: float):
    """The model and the real admission agree on refusals, and past capacity on latency."""
    model = pod_model()
    shed, latencies = served(model, load, seconds=60.0)
    modelled = loaded(model, load)
    assert modelled.shed[0] == pytest.approx(shed, abs=0.03)
    if load > 1:
        answered = 1 - modelled.shed[0]
        p95 = model.latencies[np.argmax(modelled.later[0] <= 0.05 * answered)]
        assert p95 == pytest.approx(np.quantile(latencies, 0.95), rel=0.2)


def served(model: PodModel, load: float, *, seconds: float) -> tuple[float, list[float]]:
    """Send requests at random to the service's queue, on a clock of its own; return the share that
    it refuses, and the latencies. The first seconds do not count."""
    lot, learned = random.Random(1), 5.0
    queue = SlotQueue(
        WaitLimit(model.objective),
        slots=model.slots,
        max_running=model.slots,
        max_requests=model.held,
    )
    running: list[tuple[float, int, Ticket]] = []
    arrived, refused, latencies, now = 0, 0, list[float](), 0.0

    def start() -> None:
        while ticket := queue.start(now):
            end = now + lot.expovariate(1 / model.work)
            heapq.heappush(running, (end, id(ticket), ticket))

    arrival = 0.0
    while (arrival := arrival + lot.expovariate(load * model.capacity)) < seconds:
        while running and running[0][0] <= arrival:
            now, _, ticket = heapq.heappop(running)
            queue.finish(ticket, now)
            queue.leave()
            if ticket.joined > learned:
                latencies.append(now - ticket.joined)
            start()
        now = arrival
        refusal = queue.arrive(now, FOR_EVER)
        if refusal is None:
            ticket = Ticket(KIND, now, FOR_EVER)
            if refusal := queue.join(ticket, now):
                queue.leave()
            else:
                start()
        arrived += now > learned
        refused += refusal is not None and now > learned
    return refused / arrived, latencies
