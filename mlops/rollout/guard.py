"""Runs a rollout in a process of its own and puts the traffic back if that dies; which gives up if the guard does.

Only a machine that vanishes takes both. The next `mlops rollout` or `mlops rollback` finds the journal then.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from mlops.rollout.controller import Interrupted, Rollout, put_back
from mlops.rollout.endpoint import Endpoint, EndpointError
from mlops.rollout.journal import Event, Journal, Outcome
from mlops.rollout.judge import Rules
from mlops.rollout.plan import Action, Plan
from mlops.rollout.questions import Questions

NOT_BEGUN = 64
"""Exit status of the inner process; the outcomes follow."""

OUTCOMES = list(Outcome)
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Task:
    """What the inner process needs; ``connect`` and ``follow`` are functions of modules, to be sent to it."""

    connect: Callable[[], Endpoint]
    plan: Plan
    rules: Rules
    questions: Questions
    journal: Path
    key: str
    follow: Callable[[Event], None]


def guarded(task: Task) -> Outcome:
    """Raises EndpointError where the rollout can't begin."""
    context = multiprocessing.get_context("spawn")
    trouble = context.SimpleQueue()
    begun = time.time()
    inner = context.Process(target=_inner, args=(task, os.getpid(), trouble))
    inner.start()
    before = [signal.signal(each, lambda number, _: _pass_on(number, inner.pid)) for each in SIGNALS]
    try:
        inner.join()
    finally:
        for number, handler in zip(SIGNALS, before, strict=True):
            signal.signal(number, handler)
    if inner.exitcode == NOT_BEGUN:
        raise EndpointError(trouble.get())
    if inner.exitcode is not None and 0 <= inner.exitcode - NOT_BEGUN - 1 < len(OUTCOMES):
        return OUTCOMES[inner.exitcode - NOT_BEGUN - 1]
    reason = f"the rollout's process died ({inner.exitcode})"
    return recover(task.connect(), task.plan, Journal(task.journal, follow=task.follow), reason, begun)


def recover(endpoint: Endpoint, plan: Plan, journal: Journal, reason: str, begun: float) -> Outcome:
    """End what a rollout begun after that time has left: backwards, unless all was proven. Raises EndpointError."""
    events = journal.last()
    if not events or events[0]["at"] < begun:
        raise EndpointError(f"{reason} before it began; nothing was changed.")
    if events[-1]["event"] == "ended":
        return Outcome(events[-1]["outcome"])
    if any(event["event"] == "proven" and event["step"]["action"] == Action.KEEP for event in events):
        journal.write("ended", outcome=Outcome.PROMOTED, reason=reason, left=[f"{plan.old}, perhaps being deleted"])
        return Outcome.PROMOTED
    return put_back(endpoint, plan, journal, reason, Outcome.INTERRUPTED)


def _inner(task: Task, guard: int, trouble: Any) -> None:
    for each in SIGNALS:
        signal.signal(each, _interrupt)
    journal = Journal(task.journal, follow=task.follow)
    try:
        rollout = Rollout(
            task.connect(), task.plan, task.rules, task.questions, journal, key=task.key, sleep=_watchful(guard)
        )
        outcome = rollout.run()
    except (EndpointError, Interrupted) as error:
        trouble.put(str(error))
        sys.exit(NOT_BEGUN)
    sys.exit(NOT_BEGUN + 1 + OUTCOMES.index(outcome))


def _watchful(guard: int) -> Callable[[float], None]:
    """Sleeps; interrupted, once, where the guard is gone: nobody would look after a rollout that dies."""
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


def _interrupt(number: int, _: FrameType | None) -> None:
    """Once: the way back is not to be interrupted."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(f"interrupted by {signal.Signals(number).name}")


def _pass_on(number: int, inner: int | None) -> None:
    """A Ctrl-C in a terminal has reached the inner process too, which takes one only."""
    if inner is not None:
        os.kill(inner, number)
