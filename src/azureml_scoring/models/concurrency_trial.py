"""Tries a model alone and several times at once, to see whether it holds the GIL, frees it or
waits.

On a busy machine, and in a throttled container, two scores at once take long whatever the model
does. So the time in which a thread was ready and had no processor is left out (processor_time.py):
what remains of its waiting is for the GIL, or for something outside.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from azureml_scoring.errors import StartupError
from azureml_scoring.models.concurrency import (
    MAX_ROWS_SLOWDOWN,
    ROWS_TOGETHER,
    SERIAL_SLOWDOWN,
    Alone,
    Concurrency,
    judge,
    scores_to_try,
)
from azureml_scoring.processor_time import Spent, Stopwatch

BUDGET_S = 0.5
"""After this time no measurement is repeated; each is made once, however slow the model is."""

MAX_ROWS_TRIAL_S = 2.0
"""Rows together are not tried if alone they would take longer than this."""

MIN_SAMPLE_S = 0.03
"""Quick scores are repeated until a sample takes this long: several of Python's switch intervals,
and far above the clock's noise."""

MAX_CALLS = 1_000
"""Scores in a sample."""

MIN_PATIENCE_S, PATIENCE = 30.0, 20
"""A trial of several scores at once hangs if it takes so many seconds, and so many times as long as
the scores would one after the other."""

REPEATS = 3
"""Samples of one kind at most; the least counts, as noise only adds."""

CLEARLY_SERIAL = 1.6
"""Scores at once that take so many times as long are not tried again: noise alone adds less."""

CLEARLY_BY_ROW = 1.5 * MAX_ROWS_SLOWDOWN
"""The same of rows together. They take 8.0 times as long as one if cost is by row."""

Score = Callable[[], object]


def trial(
    one_row: Score,
    rows_together: Score,
    *,
    processors: int,
    at_once: bool = True,
) -> Concurrency:
    """Time the scores, and judge how many to compute at once.

    ``one_row``: predicts one row. ``rows_together``: predicts ROWS_TOGETHER rows in one call.
    ``at_once``: several scores may be tried at once. Takes BUDGET_S, or three scores if that is
    longer, and MAX_ROWS_TRIAL_S at most for the rows. Raises what a score raises that runs alone.
    """
    until = time.monotonic() + BUDGET_S
    first = _sample(one_row, 1)
    calls = max(1, min(MAX_CALLS, math.ceil(MIN_SAMPLE_S / max(first.wall_s, 1e-9))))
    samples = [first] if calls == 1 else []
    while len(samples) < REPEATS and (not samples or time.monotonic() < until - BUDGET_S / 2):
        samples.append(_sample(one_row, calls))
    least = min(samples, key=lambda sample: sample.process_cpu_s)
    alone = Alone(
        wall_s=max(least.wall_s / calls, 1e-9),
        cpu_s=least.process_cpu_s / calls,
        own_cpu_s=least.cpu_s / calls,
    )
    slowdown = None
    if at_once and processors > 1:
        slowdown = _slowdown(one_row, alone, calls)
        for _ in range(REPEATS - 1):
            if SERIAL_SLOWDOWN <= slowdown < CLEARLY_SERIAL and time.monotonic() < until:
                slowdown = min(slowdown, _slowdown(one_row, alone, calls))
    return judge(
        alone,
        slowdown,
        _rows_slowdown(rows_together, alone, until),
        processors=processors,
    )


def _sample(score: Score, calls: int) -> Spent:
    watch = Stopwatch()
    for _ in range(calls):
        score()
    return watch.spent()


def _slowdown(score: Score, alone: Alone, calls: int) -> float:
    """Return how many times as long a score takes while others run; infinity if one fails.

    Who has made its calls goes on until all have, or those that start last would run alone. A slow
    model is spared that.
    """
    threads = scores_to_try(alone)
    start = threading.Barrier(threads)
    done: list[int] = []
    times: list[float] = []

    def run() -> None:
        start.wait()
        made, watch = 0, Stopwatch()
        try:
            while made < calls or (len(done) < threads and calls > 1):
                score()
                made += 1
                if made == calls:
                    done.append(made)
        except BaseException:  # a model raises anything, SystemExit too
            done.extend([made] * threads)
        else:
            times.append(watch.spent().wall_s / made)

    running = [threading.Thread(target=run, name="trial", daemon=True) for _ in range(threads)]
    until = time.monotonic() + max(MIN_PATIENCE_S, PATIENCE * threads * calls * alone.wall_s)
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(max(until - time.monotonic(), 0))
    if any(thread.is_alive() for thread in running):
        raise StartupError(
            f"The model answers one request, and hangs when {threads} are computed at once; set "
            "SCORING_SLOTS=1."
        )
    return sum(times) / threads / alone.wall_s if len(times) == threads else math.inf


def _rows_slowdown(score: Score, alone: Alone, until: float) -> float | None:
    if alone.wall_s * ROWS_TOGETHER > MAX_ROWS_TRIAL_S:
        return None
    calls = max(1, math.ceil(MIN_SAMPLE_S / ROWS_TOGETHER / alone.wall_s))
    slowdown = math.inf
    for _ in range(REPEATS):
        slowdown = min(slowdown, _sample(score, calls).wall_s / calls / alone.wall_s)
        is_clear = not MAX_ROWS_SLOWDOWN <= slowdown < CLEARLY_BY_ROW
        if is_clear or time.monotonic() > until:
            break
    return slowdown
