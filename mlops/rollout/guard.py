"""Runs a rollout in a process of its own and puts the traffic back if that dies; which gives up if
the guard does.

Neither a closed terminal nor SIGKILL to the process group takes both, only a machine that vanishes.
The endpoint's tags tell the next `mlops rollback` then where to go back to, on whichever machine.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from mlops.endpoint import Endpoint, EndpointError
from mlops.rollout.claim import EndpointClaim
from mlops.rollout.controller import Interrupted, Rollout
from mlops.rollout.ending import end
from mlops.rollout.journal import Event, Journal, RolloutOutcome
from mlops.rollout.judge import Rules
from mlops.rollout.plan import Plan
from mlops.rollout.questions import Questions
from mlops.rollout.record import new_run
from mlops.rollout.way_back import put_back

NOT_BEGUN = 64
"""Exit status of the inner process; the outcomes follow."""

OUTCOMES = list(RolloutOutcome)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@dataclass(frozen=True)
class Task:
    """What the inner process needs; ``connect`` and ``follow`` are functions of modules, to be sent
    to it."""

    connect: Callable[[], Endpoint]
    plan: Plan
    rules: Rules
    questions: Questions
    journal: Path
    key: str
    follow: Callable[[Event], None]
    run: str = field(default_factory=new_run)


def guarded(task: Task) -> RolloutOutcome:
    """Raises EndpointError where the rollout can't begin."""
    journal = Journal(task.journal, follow=task.follow)
    with journal.alone():
        context = multiprocessing.get_context("spawn")
        trouble = context.SimpleQueue()
        inner = context.Process(target=_inner, args=(task, os.getpid(), trouble))
        earlier = journal.last()
        before = {
            each: signal.signal(each, lambda number, _: _pass_on(number, inner.pid))
            for each in _heard()
        }
        signal.pthread_sigmask(
            signal.SIG_BLOCK, before
        )  # until the inner process handles them too, which inherits it
        inner.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, before)
        try:
            inner.join()
            _ignore(before)
            if inner.exitcode == NOT_BEGUN:
                raise EndpointError(trouble.get())
            if inner.exitcode is not None and 0 <= inner.exitcode - NOT_BEGUN - 1 < len(OUTCOMES):
                return OUTCOMES[inner.exitcode - NOT_BEGUN - 1]
            reason = f"the rollout's process died ({inner.exitcode})"
            return _recovered(task, journal, reason, earlier)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _recovered(
    task: Task, journal: Journal, reason: str, earlier: Sequence[Event]
) -> RolloutOutcome:
    endpoint = task.connect()
    return recover(
        endpoint, task.plan, journal, reason, earlier, claim=EndpointClaim(endpoint, task.run)
    )


def recover(
    endpoint: Endpoint,
    plan: Plan,
    journal: Journal,
    reason: str,
    earlier: Sequence[Event],
    *,
    claim: EndpointClaim,
) -> RolloutOutcome:
    """End what a rollout has left: backwards, unless all was proven. ``earlier``: the journal's
    last rollout before that one. Raises EndpointError."""
    try:
        events = journal.last()
    except (
        EndpointError
    ) as error:  # it was readable before: what was proven since then is not to be guessed
        return put_back(
            endpoint,
            plan,
            journal,
            f"{reason}, and {error}",
            RolloutOutcome.INTERRUPTED,
            claim=claim,
        )
    if events[:1] == earlier[:1]:
        raise EndpointError(f"{reason} before it began; nothing was changed.")
    if events[-1]["event"] == "ended":
        return RolloutOutcome(events[-1]["outcome"])
    if back := next((event for event in events if event["event"] == "back"), None):
        return put_back(
            endpoint, plan, journal, back["reason"], RolloutOutcome(back["outcome"]), claim=claim
        )
    if any(event["event"] == "proven" and event["step"] == asdict(plan.last) for event in events):
        return end(endpoint, plan, journal, claim, reason, delete=False)
    return put_back(endpoint, plan, journal, reason, RolloutOutcome.INTERRUPTED, claim=claim)


def _inner(task: Task, guard: int, trouble: Any) -> None:
    os.setsid()  # a signal to the guard's terminal or process group, SIGKILL included, is for the guard alone
    try:
        outcome = _rolled_out(task, guard)
    except (EndpointError, OSError) as error:
        trouble.put(str(error))
        sys.exit(NOT_BEGUN)
    sys.exit(NOT_BEGUN + 1 + OUTCOMES.index(outcome))


def _rolled_out(task: Task, guard: int) -> RolloutOutcome:
    """Raises EndpointError, OSError where it can't begin."""
    journal = Journal(task.journal, follow=task.follow)
    earlier, heard = journal.last(), _heard()
    try:
        for each in heard:
            signal.signal(each, _interrupt)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, heard)
        endpoint, sleep = task.connect(), _watchful(guard)
        rollout = Rollout(
            endpoint,
            task.plan,
            task.rules,
            task.questions,
            journal,
            key=task.key,
            run=task.run,
            sleep=sleep,
        )
        return rollout.run()
    except (
        Interrupted
    ) as error:  # before it began, or on its way back or out: not where it was held
        _ignore(heard)
        return _recovered(task, journal, str(error), earlier)


def _watchful(guard: int) -> Callable[[float], None]:
    """Sleeps; interrupted, once, where the guard is gone: nobody would look after a rollout that
    dies."""
    alone = False

    def sleep(seconds: float) -> None:
        nonlocal alone
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.5))
            if not alone and os.getppid() != guard:
                alone = True
                raise Interrupted("the rollout's guard died")

    return sleep


def _heard() -> list[signal.Signals]:
    """Not those that whoever started us wants ignored, as nohup does."""
    return [each for each in SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]


def _ignore(signals: Iterable[signal.Signals]) -> None:
    for each in signals:
        signal.signal(each, signal.SIG_IGN)


def _interrupt(number: int, _: FrameType | None) -> None:
    """Once: the way back is not to be interrupted."""
    _ignore(SIGNALS)
    raise Interrupted(f"interrupted by {signal.Signals(number).name}")


def _pass_on(number: int, inner: int | None) -> None:
    if inner is not None:
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.kill(inner, number)
