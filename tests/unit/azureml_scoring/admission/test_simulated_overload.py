"""What the admission promises under load, simulated for kinds of models.

``make bench-overload`` measures the same with real servers.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from azureml_scoring.admission.service_times import WorkKind
from queue_simulation import Ended, Work, Worker, noisy

ROW, TABLE = WorkKind.of("predict", 1), WorkKind.of("predict", 100)
SECONDS = 10.0


@dataclass(frozen=True)
class ModelKind:
    """``mean_s``: of a request's work."""

    slots: int
    processors: float
    mean_s: float
    work: Callable[[int, random.Random], Work]


def steady(seconds: float) -> Callable[[int, random.Random], Work]:
    return lambda number, numbers: Work(ROW, noisy(seconds, numbers))


def bimodal(number: int, numbers: random.Random) -> Work:
    """One request of twenty takes eighty times as long; nothing tells it from the others."""
    return Work(ROW, noisy(0.4 if numbers.random() < 0.05 else 0.005, numbers))


def evenly_bimodal(number: int, numbers: random.Random) -> Work:
    return Work(ROW, noisy(0.4 if number % 20 == 0 else 0.005, numbers))


def two_sizes(number: int, numbers: random.Random) -> Work:
    if numbers.random() < 0.25:
        return Work(TABLE, noisy(0.1, numbers))
    return Work(ROW, noisy(0.004, numbers))


KINDS = {
    "holds the GIL": ModelKind(1, 1, 0.05, steady(0.05)),
    "frees the GIL": ModelKind(2, 2, 0.05, steady(0.05)),
    "waits": ModelKind(44, 44, 0.1, steady(0.1)),
    "forest": ModelKind(1, 1, 0.03, steady(0.03)),
}
MIXED_KINDS = {
    "bimodal": ModelKind(2, 2, 0.02475, bimodal),
    "two sizes": ModelKind(2, 2, 0.028, two_sizes),
}
EVEN_KINDS = KINDS | {"bimodal": ModelKind(2, 2, 0.02475, evenly_bimodal)}


def offer(kind: ModelKind, load: float, seed: int = 1) -> list[Ended]:
    """Return the requests of the second half, when ``load`` times the capacity is offered."""
    numbers = random.Random(seed)
    rate = load * kind.processors / kind.mean_s
    worker = Worker(kind.slots, kind.processors)
    ended = worker.run(rate, SECONDS, lambda number: kind.work(number, numbers))
    return [request for request in ended if request.arrived > SECONDS / 2]


def goodput(requests: list[Ended], kind: ModelKind, within_s: float) -> float:
    """Return the answers in time, divided by what the model can do."""
    good = sum(request.answered and request.seconds <= within_s for request in requests)
    return good / (kind.processors / kind.mean_s * SECONDS / 2)


@pytest.mark.parametrize("load", [1.2, 2.0, 5.0])
@pytest.mark.parametrize("name", KINDS)
def test_above_capacity_as_much_is_answered_in_time_as_can_be_done(name: str, load: float):
    """95 % of it within the objective of 200 ms, whatever arrives."""
    assert goodput(offer(KINDS[name], load), KINDS[name], within_s=0.2) >= 0.95


@pytest.mark.parametrize("load", [1.2, 2.0, 5.0])
@pytest.mark.parametrize("name", MIXED_KINDS)
def test_requests_of_very_different_length_are_answered_above_capacity(name: str, load: float):
    """Most of what can be done is answered within 500 ms, in the mean of eight runs."""
    kind = MIXED_KINDS[name]
    runs = [goodput(offer(kind, load, seed), kind, within_s=0.5) for seed in range(8)]
    assert sum(runs) / len(runs) >= 0.85


@pytest.mark.parametrize("name", EVEN_KINDS)
def test_below_capacity_next_to_nothing_is_refused(name: str):
    """At 0.9 of it less than one request of a hundred."""
    requests = offer(EVEN_KINDS[name], 0.9)
    assert sum(not request.answered for request in requests) <= len(requests) / 100


@pytest.mark.parametrize("name", KINDS)
def test_refusals_come_at_once(name: str):
    """At five times the capacity, 99 of 100 within the time that reading takes."""
    refused = sorted(request.seconds for request in offer(KINDS[name], 5.0) if not request.answered)
    assert refused[int(0.99 * len(refused))] < 0.005
