"""Which requests wait for the event loop, in which order they are answered, and who is refused."""

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_scoring.admission.wait_limit import PATIENCE, WaitLimit
from azureml_scoring.errors import DeadlineExceeded, Overloaded, OverloadReason, ScoringError
from azureml_scoring.http.backlog import REFUSAL_SLICE_S, SLICE_S, Backlog

OBJECTIVE_S = 0.2


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass(eq=False)
class Request:
    """A request that takes ``work_s`` to compute, and ``refusal_s`` to refuse."""

    clock: Clock
    work_s: float
    body_bytes: int = 1000
    refusal_s: float = 0.0001
    computed: int = 0
    error: ScoringError | None = None
    joined: float = 0.0
    answered: list["Request"] = field(default_factory=list)

    def compute(self) -> None:
        assert not self.error
        self.clock.now += self.work_s
        self.computed += 1
        self.answered.append(self)

    def refuse(self, error: ScoringError) -> None:
        assert not self.error
        assert not self.computed
        self.clock.now += self.refusal_s
        self.error = error


def reason(request: Request) -> OverloadReason:
    assert isinstance(request.error, Overloaded)
    return request.error.reason


class Loop:
    """An event loop with a backlog, which has fallen behind."""

    def __init__(self, request_s: float = 0.002) -> None:
        self.clock = Clock()
        self.backlog = Backlog(lambda: WaitLimit(OBJECTIVE_S), self.clock)
        self.answered: list[Request] = []
        self.backlog.fall_behind(request_s)

    def arrive(
        self, work_s: float, body_bytes: int = 1000, wanted_for: float = math.inf
    ) -> Request:
        request = Request(self.clock, work_s, body_bytes, answered=self.answered)
        request.joined = self.clock.now
        self.backlog.join(request, body_bytes, self.clock.now + wanted_for)
        return request

    def round(self) -> None:
        self.backlog.refuse_slice()
        self.backlog.compute_slice(lambda: None)


def test_the_oldest_are_computed_first_and_only_for_a_slice():
    """In between, the loop looks at its sockets; then it goes on where it was."""
    loop = Loop()
    requests = [loop.arrive(0.002) for _ in range(5)]
    loop.round()
    assert loop.answered == requests[:3]
    assert loop.backlog.behind
    loop.round()
    assert loop.answered == requests
    assert not loop.backlog.behind


def test_a_request_longer_than_a_slice_is_computed():
    """One at a time."""
    loop = Loop()
    first, second = loop.arrive(4 * SLICE_S), loop.arrive(4 * SLICE_S)
    loop.round()
    assert loop.answered == [first]
    loop.round()
    assert loop.answered == [first, second]


def test_who_would_wait_too_long_is_refused_in_the_next_round():
    """The answer says why, and when to come again."""
    loop = Loop(request_s=0.002)
    requests = [loop.arrive(0.002) for _ in range(1000)]
    loop.round()
    refused = [request for request in requests if request.error]
    assert refused
    assert refused[0] is requests[int(PATIENCE * OBJECTIVE_S / 0.002) + 1]
    error = refused[0].error
    assert error is not None
    assert reason(refused[0]) is OverloadReason.QUEUE
    assert error.retry_after_s is not None
    assert error.retry_after_s >= PATIENCE * OBJECTIVE_S


def test_refusals_take_a_part_of_each_round():
    """Thousands of clients that come back at once do not keep the loop from its sockets."""
    loop = Loop(request_s=1.0)
    for _ in range(1000):
        loop.arrive(0.002)
    before = loop.clock.now
    loop.backlog.refuse_slice()
    assert loop.clock.now - before == pytest.approx(REFUSAL_SLICE_S, abs=0.0002)


def test_large_requests_count_for_more_than_small_ones():
    """A few large ones fill the time that many small ones would."""
    loop = Loop()
    for _ in range(20):
        loop.arrive(0.0001, body_bytes=100)
        loop.arrive(0.01, body_bytes=50_000)
        while loop.backlog.behind:
            loop.round()
        loop.backlog.fall_behind(0.002)
    small = [loop.arrive(0.0001, body_bytes=100) for _ in range(60)]
    while loop.backlog.behind:
        loop.round()
    loop.backlog.fall_behind(0.002)
    large = [loop.arrive(0.01, body_bytes=50_000) for _ in range(60)]
    loop.round()
    assert not any(request.error for request in small)
    assert any(request.error for request in large)


def test_who_has_gone_is_neither_computed_nor_refused():
    """Its time goes to the others."""
    loop = Loop(request_s=0.3)
    first, second, third, fourth = (loop.arrive(0.001) for _ in range(4))
    loop.backlog.leave(first)
    loop.backlog.leave(fourth)
    loop.round()
    assert loop.answered == [second, third]
    assert first.error is fourth.error is None


def test_a_request_that_waited_too_long_after_all_is_refused():
    """What is computed then is worth nothing."""
    loop = Loop()
    request = loop.arrive(0.001)
    loop.clock.now += 1.0
    loop.round()
    assert reason(request) is OverloadReason.WAITED


def test_who_wants_an_answer_sooner_than_it_can_be_had_is_refused():
    """Others, who allow more time, wait for theirs."""
    loop = Loop(request_s=0.002)
    requests = [loop.arrive(0.002, wanted_for=wanted_for) for wanted_for in (1.0, 0.003, 0.005)]
    loop.round()
    assert loop.answered == [requests[0], requests[2]]
    assert reason(requests[1]) is OverloadReason.DEADLINE


def test_a_request_whose_deadline_passes_while_it_waits_is_not_computed():
    """Nor is one that came too late, or would be answered too late; all get 504."""
    loop = Loop(request_s=0.002)
    waited = [loop.arrive(0.002, wanted_for=wanted_for) for wanted_for in (0.05, 0.101, 0.2)]
    loop.clock.now += 0.1
    late = loop.arrive(0.002, wanted_for=0.0)
    loop.round()
    assert [type(request.error) for request in [*waited, late]] == [
        DeadlineExceeded,
        DeadlineExceeded,
        type(None),
        DeadlineExceeded,
    ]
    assert loop.answered == [waited[2]]


def test_while_more_arrives_than_can_be_computed_answers_stay_in_time():
    """At twice the capacity, the loop computes all the time, and answers within the objective."""
    loop, late, computed = Loop(), [], 0
    requests = list[Request]()
    next_arrival, end = loop.clock.now, loop.clock.now + 10.0
    while loop.clock.now < end:
        while next_arrival <= loop.clock.now:
            requests.append(loop.arrive(0.002))
            next_arrival += 0.001
        before = len(loop.answered)
        loop.round()
        if loop.clock.now > end - 5.0:
            computed += len(loop.answered) - before
            late += [r for r in loop.answered[before:] if loop.clock.now - r.joined > OBJECTIVE_S]
    assert computed * 0.002 > 0.85 * 5.0  # the rest of the time is spent on refusals
    assert not late


@given(
    rounds=st.lists(
        st.lists(
            st.tuples(st.sampled_from([0.0001, 0.002, 0.02]), st.integers(1, 60_000)), max_size=30
        ),
        max_size=30,
    ),
    gone=st.sets(st.integers(0, 900)),
)
def test_every_request_that_stays_gets_one_answer(
    rounds: list[list[tuple[float, int]]], gone: set[int]
):
    """It is computed or refused; nothing waits for ever, none overtakes, and no round lasts longer
    than its slices and one request."""
    loop, requests = Loop(), list[Request]()
    for arrivals in [*rounds, *([[]] * 1000)]:
        if not loop.backlog.behind:
            if not arrivals:
                continue
            loop.backlog.fall_behind(0.002)
        for work_s, body_bytes in arrivals:
            requests.append(loop.arrive(work_s, body_bytes))
            if len(requests) in gone:
                loop.backlog.leave(requests[-1])
        before = loop.clock.now
        loop.round()
        assert loop.clock.now - before <= REFUSAL_SLICE_S + SLICE_S + 0.0202
    assert not loop.backlog.behind
    for number, request in enumerate(requests, start=1):
        assert request.computed + (request.error is not None) == (number not in gone)
    places = {id(request): place for place, request in enumerate(requests)}
    order = [places[id(request)] for request in loop.answered]
    assert order == sorted(order)
