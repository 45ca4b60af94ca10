"""Offers a server multiples of its capacity, and writes how much of it is answered in time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from azureml_scoring.errors import StartupError
from mlops import output
from mlops.load import goodput_picture
from mlops.load.goodput import CLOSED_LOOP_CONNECTIONS, Goodput, capacity, goodput, overload_plan
from mlops.load.run import LoadPlan, run
from mlops.load.stages import Stage

CAPACITY_S = 4.0
LOAD_S = 8.0
REST_S = 2.0
"""Pause after each load, in which the server may recover."""

PICTURE, FIGURES = "goodput.svg", "goodput.json"


@dataclass(frozen=True)
class LoadOutcome:
    """A load that was offered. ``cpu``: as in ``LoadRun``."""

    goodput: Goodput
    cpu: float

    def __str__(self) -> str:
        point = self.goodput
        within = ", ".join(f"{share:.2f} within {ms:g} ms" for ms, share in point.within.items())
        rate = point.load * point.capacity
        return (
            f"{point.load:g} times, {rate:.4g}/s: goodput {within}; {100 * point.refused:.3g}% "
            "refused"
        )


def offer(
    plan: LoadPlan, multiples: Sequence[float], limits_ms: Sequence[float]
) -> Iterator[LoadOutcome]:
    """Measure the server's capacity, offer the multiples of it one after the other, and yield what
    became of each. Raises StartupError."""
    measured = capacity(plan, CAPACITY_S, CLOSED_LOOP_CONNECTIONS)
    if not measured:
        raise StartupError(
            "The server answered no request as it should; see with --stages 10s@1 what it answers."
        )
    for multiple in multiples:
        time.sleep(REST_S)
        stage = Stage(LOAD_S, multiple * measured)
        load_run = run(overload_plan(plan, [stage]))
        yield LoadOutcome(
            goodput(load_run.requests, stage, measured, limits_ms), load_run.cpu or 0.0
        )


def check(folder: Path) -> None:
    """Refuse, before the load, files that must not be overwritten. Raises StartupError."""
    for name in (PICTURE, FIGURES):
        output.check(folder / name)


def write(url: str, begun: str, offered: Sequence[LoadOutcome], folder: Path) -> Path:
    """Write ``goodput.svg`` and ``goodput.json``, and return the picture. Raises as
    ``output.write`` does."""
    document = {
        "about": f"{output.MARK} load",
        "url": url,
        "begun": begun,
        "generator_cpu": max(load.cpu for load in offered),
        "loads": [asdict(load.goodput) for load in offered],
    }
    json_options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    output.write(folder / FIGURES, orjson.dumps(document, option=json_options))
    output.write(folder / PICTURE, goodput_picture.draw([load.goodput for load in offered]))
    return folder / PICTURE
