"""Measures what ``n_jobs`` costs a served model: it starts threads or processes per request."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

MAX_TRIAL_S = 2.0
MAX_CALLS = 5
MIN_SLOWDOWN = 1.2
"""A smaller slowdown may be chance."""


def note(estimator: Any, ask: Callable[[], object]) -> str | None:
    """Return a note if ``n_jobs`` makes one row slower. ``ask``: predicts one row."""
    parts = [part for part in _parts(estimator, set()) if _many(part)]
    if not parts:
        return None
    before = [part.n_jobs for part in parts]
    as_it_is = _seconds(ask)
    try:
        advice = _advice(estimator, parts)
        for part in parts:
            part.n_jobs = 1
        alone = _seconds(ask)
    finally:
        for part, jobs in zip(parts, before, strict=True):
            part.n_jobs = jobs
    if as_it_is < MIN_SLOWDOWN * alone:
        return None
    kinds = ", ".join(
        sorted(
            {
                f"n_jobs={jobs} of {type(part).__name__}"
                for part, jobs in zip(parts, before, strict=True)
            }
        )
    )
    return (
        f"note: {kinds} makes a row take {as_it_is * 1000:.1f} ms instead of {alone * 1000:.1f} "
        f"ms, and threads or processes start in each worker of the server; {advice} and save the "
        f"model again"
    )


def _parts(thing: Any, seen: set[int]) -> Iterator[Any]:
    """Yield an estimator and all estimators inside it."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    inside: Any = ()
    if isinstance(thing, list | tuple):
        inside = thing
    elif isinstance(thing, dict):
        inside = thing.values()
    elif isinstance(thing, np.ndarray) and thing.dtype == object:
        inside = thing.ravel()
    elif hasattr(thing, "get_params") and hasattr(thing, "__dict__"):
        yield thing
        inside = vars(thing).values()
    for other in inside:
        if isinstance(other, list | tuple | dict | np.ndarray) or hasattr(other, "get_params"):
            yield from _parts(other, seen)


def _many(part: Any) -> bool:
    return isinstance(jobs := getattr(part, "n_jobs", None), int) and jobs not in (0, 1)


def _advice(estimator: Any, parts: list[Any]) -> str:
    """Suggest ``set_params`` if it reaches all parts; it does not reach fitted copies."""
    with contextlib.suppress(Exception):  # an estimator from outside may lack it
        names = [
            name
            for name, value in estimator.get_params().items()
            if name.endswith("n_jobs") and value is not None
        ]
        estimator.set_params(**dict.fromkeys(names, 1))
        if not any(map(_many, parts)):
            return f"call model.set_params({', '.join(f'{name}=1' for name in names)})"
    types = ", ".join(sorted({type(part).__name__ for part in parts}))
    return f"fit it with n_jobs=1, or set that on its {types},"


def _seconds(ask: Callable[[], object]) -> float:
    """Return the median of a few calls, without the first, which may start processes."""
    ask()
    took: list[float] = []
    while len(took) < MAX_CALLS and sum(took) < MAX_TRIAL_S:
        started = time.perf_counter()
        ask()
        took.append(time.perf_counter() - started)
    return float(np.median(took))
