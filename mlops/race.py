"""Times a model's engines on batches of several sizes, and chooses which of them answers.

Times are noisy, and a simpler engine has less to go wrong. So one that comes later in the order
must be clearly quicker than the one that it replaces.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.engines.race import EngineName, Race
from azureml_scoring.models.model import Predict

ROWS = (1, 10, 100)
MARGIN = 1.2
"""How many times quicker an engine must be than the simpler one that it replaces."""

TURNS = 3
TURN_S = 0.004
HOPELESS = 5.0
"""An engine that took so many times as long as the quickest has had its turn."""

TITLES: dict[EngineName, str] = {
    "numpy": "graph by numpy",
    "onnxruntime": "graph by ONNX Runtime",
    "booster": "booster's own library",
    "estimator": "the model itself",
}

Timer = Callable[[Callable[[], object]], float]
"""Returns the seconds that a call takes."""


def shortest_s(call: Callable[[], object]) -> float:
    """Return the processor seconds of the quickest of some calls: others were held up.

    They do not count what else the machine does meanwhile.
    """
    begun = now = time.process_time()
    shortest = math.inf
    while now < begun + TURN_S:
        before = now
        call()
        now = time.process_time()
        shortest = min(shortest, now - before)
    return shortest


def race(
    engines: Mapping[EngineName, Predict],
    rows: np.ndarray,
    method: str,
    timer: Timer = shortest_s,
) -> Race:
    """Time the engines, the simplest first. ``rows``: (rows, features), answered by all of them."""
    batches = [Batch(np.resize(rows, (count, rows.shape[1])), method) for count in ROWS]
    times = {name: [math.inf] * len(ROWS) for name in engines}
    # They take turns, so that a change of the machine's speed affects all alike.
    for turn, (place, batch) in itertools.product(range(TURNS), enumerate(batches)):
        for name, predict in engines.items():
            best = min(own[place] for own in times.values())
            if turn == 0 or times[name][place] < HOPELESS * best:
                times[name][place] = min(times[name][place], timer(partial(predict, batch)))
    small = _winner(times, 0, next(iter(engines)))
    large = _winner(times, -1, small)
    large_from = _crossing(times[small], times[large]) if large != small else 1
    return Race(
        ROWS,
        {name: tuple(round(1e6 * own, 1) for own in times[name]) for name in engines},
        small if large_from > 1 else large,
        large,
        large_from,
    )


def table(outcome: Race) -> list[str]:
    """Return lines with the times in µs, and who answers."""
    heads = [f"{count} row{'s' * (count > 1)}" for count in outcome.rows]
    lines = [f"{'µs a batch of':<24}" + "".join(f"{head:>12}" for head in heads)]
    lines += [
        f"{TITLES[name]:<24}" + "".join(f"{each:>12,.0f}" for each in own)
        for name, own in outcome.microseconds.items()
    ]
    small, large = TITLES[outcome.small], TITLES[outcome.large]
    answers = small if small == large else f"{small}; from {outcome.large_from} rows: {large}"
    return [*lines, f"{'answers':<24}  {answers}"]


def _winner(times: Mapping[EngineName, list[float]], place: int, holder: EngineName) -> EngineName:
    for name in times:
        if times[name][place] * MARGIN < times[holder][place]:
            holder = name
    return holder


def _crossing(small: list[float], large: list[float]) -> int:
    """Return from how many rows on the engine of large batches is the quicker one, as far as times
    grow evenly between the measured sizes."""
    gains = np.subtract(small, large)
    before = max(place for place in range(len(ROWS) - 1) if place == 0 or gains[place] <= 0)
    if gains[before] >= 0:
        return ROWS[before]
    rows = np.interp(0.0, gains[before : before + 2], ROWS[before : before + 2])
    return int(np.ceil(rows))
