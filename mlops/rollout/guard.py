"""Runs a rollout in a process of its own, and puts the traffic back if that process dies. If the
guard dies, the rollout puts the traffic back itself.

Neither a closed terminal nor SIGKILL to the process group ends both; only the loss of the machine
does. Then the endpoint's tags tell the next `mlops rollback`, on any machine, where to go back to.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any

from mlops.endpoint import Endpoint, EndpointError
from mlops.rollout.claim import EndpointClaim
from mlops.rollout.controller import Interrupted, Rollout
from mlops.rollout.ending import end
from mlops.rollout.journal import Event, Journal, RolloutOutcome
from mlops.rollout.plan import Plan
from mlops.rollout.questions import Questions
from mlops.rollout.record import new_run
from mlops.rollout.rules import Rules
from mlops.rollout.way_back import put_back

NOT_BEGUN_STATUS = 64
"""Exit status of an inner process that could not begin; those of the outcomes follow."""

OUTCOMES = list(RolloutOutcome)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class NotBegun(EndpointError):
    """The rollout did not begin; nothing was changed."""


@dataclass(frozen=True)
class Task:
    """What the inner process needs. ``connect`` and ``follow`` are functions of modules, so that
    they can be pickled."""

    connect: Callable[[], Endpoint]
    plan: Plan
    rules: Rules
    questions: Questions
    journal: Path
    key: str
    follow: Callable[[Event], None]
    run: str = field(default_factory=new_run)


def guarded(task: Task) -> RolloutOutcome:
    """Run the rollout and return how it ended. Raises NotBegun, and EndpointError if its process
    died and Azure can't be asked."""
    journal = Journal(task.journal, follow=task.follow)
    with journal.alone():
        context = multiprocessing.get_context("spawn")
        errors = context.SimpleQueue()
        inner = context.Process(target=_inner, args=(task, os.getpid(), errors))
        earlier = journal.last()
        with _passed_on(inner) as signals:
            # The inner process inherits the mask, until it handles them too.
            signal.pthread_sigmask(signal.SIG_BLOCK, signals)
            inner.start()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
            inner.join()
            _ignore(signals)
            if inner.exitcode == NOT_BEGUN_STATUS:
                raise NotBegun(errors.get())
            if outcome := _outcome_of(inner.exitcode):
                return outcome
            reason = f"the rollout's process died ({inner.exitcode})"
            return _recovered(task, journal, reason, earlier)


@contextlib.contextmanager
def _passed_on(inner: BaseProcess) -> Iterator[list[signal.Signals]]:
    """Pass the signals that would end this process on to ``inner``; restore their handlers."""

    def pass_on(number: int, _: FrameType | None) -> None:
        if inner.pid is not None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(inner.pid, number)

    before = {number: signal.signal(number, pass_on) for number in _heard()}
    try:
        yield list(before)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _status_of(outcome: RolloutOutcome) -> int:
    """Return the exit status by which the inner process tells ``outcome``."""
    return NOT_BEGUN_STATUS + 1 + OUTCOMES.index(outcome)


def _outcome_of(status: int | None) -> RolloutOutcome | None:
    """Return the outcome that an exit status stands for; None if it stands for none."""
    return next((outcome for outcome in OUTCOMES if _status_of(outcome) == status), None)


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
    """End a rollout that was cut off: put the traffic back, unless every step was proven.
    ``earlier``: the journal's rollout before that one. Raises EndpointError."""
    try:
        events = journal.last()
    except EndpointError as error:  # what was proven since it was readable can't be known
        return put_back(
            endpoint,
            plan,
            journal,
            f"{reason}, and {error}",
            RolloutOutcome.INTERRUPTED,
            claim=claim,
        )
    if events[:1] == earlier[:1]:
        raise NotBegun(f"{reason} before it began; nothing was changed.")
    if events[-1]["event"] == "ended":
        return RolloutOutcome(events[-1]["outcome"])
    if back := next((event for event in events if event["event"] == "back"), None):
        return put_back(
            endpoint, plan, journal, back["reason"], RolloutOutcome(back["outcome"]), claim=claim
        )
    if any(event["event"] == "proven" and event["step"] == asdict(plan.last) for event in events):
        return end(endpoint, plan, journal, claim, reason, delete=False)
    return put_back(endpoint, plan, journal, reason, RolloutOutcome.INTERRUPTED, claim=claim)


def _inner(task: Task, guard: int, errors: Any) -> None:
    # A signal to the guard's terminal or process group, SIGKILL included, is for the guard alone.
    os.setsid()
    try:
        outcome = _rolled_out(task, guard)
    except (EndpointError, OSError) as error:
        errors.put(str(error))
        sys.exit(NOT_BEGUN_STATUS)
    sys.exit(_status_of(outcome))


def _rolled_out(task: Task, guard: int) -> RolloutOutcome:
    """Roll out, or recover from a signal. Raises EndpointError, OSError where it can't begin."""
    journal = Journal(task.journal, follow=task.follow)
    earlier, heard = journal.last(), _heard()
    try:
        for number in heard:
            signal.signal(number, _interrupt)
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
    except Interrupted as error:  # before it began or while it ended; else Rollout.run handles it
        _ignore(heard)
        return _recovered(task, journal, str(error), earlier)


def _watchful(guard: int) -> Callable[[float], None]:
    """Return a sleep that raises Interrupted, once, if the guard died: nobody would put the traffic
    back if this process died too."""
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
    """Return the signals to handle: not those that our parent ignores, as nohup does."""
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


def _ignore(signals: Iterable[signal.Signals]) -> None:
    for number in signals:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, _: FrameType | None) -> None:
    """Raise Interrupted, once: the way back must not be interrupted."""
    _ignore(SIGNALS)
    raise Interrupted(f"interrupted by {signal.Signals(number).name}")
