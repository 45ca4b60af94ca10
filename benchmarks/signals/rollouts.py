"""How often a rollout judges the clients' requests wrongly, by simulation: the real plan and judge.

``python -m benchmarks.signals.rollouts --write-docs`` (an hour on two cores) writes the table of
docs/rollout.md.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import re
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.signals.simulated_rollout import Result, roll_out
from benchmarks.signals.simulated_traffic import (
    BASE,
    Behaviour,
    Case,
    Spells,
    bimodal,
    constant,
    hanging,
    pareto,
    paused,
    slow_tail,
    slower,
    swinging,
)
from mlops.rollout.hold import Decision

PAGE = Path(__file__).parents[2] / "docs" / "rollout.md"
RATES = (1, 10, 100, 1000)
LOOK_S = 30
"""A third of the looks, to be quick; a test holds both against each other."""


def _twins(title: str, side: Behaviour, **more: bool) -> Case:
    return Case(title, side, side, **more)


PAUSES = Behaviour(spells=Spells(1, 300, paused(BASE)))
SLOW = Behaviour(spells=Spells(30, 1200, slower(BASE, 3)))
IDENTICAL = (
    Case("independent requests"),
    _twins("latencies of a Pareto distribution", Behaviour(pareto())),
    _twins("latencies of two kinds", Behaviour(bimodal())),
    _twins("errors 0.9 %", Behaviour(failing=constant(0.009))),
    _twins("errors 0.1 %, swinging by half over 2 h", Behaviour(failing=swinging(0.001, 0.5))),
    _twins("client errors 5 %, swinging by 30 % over 2 h", Behaviour(refused=swinging(0.05, 0.3))),
    _twins("pauses of 1 s, one in 5 min, each its own", PAUSES),
    _twins("30 s three times slower, one in 20 min, each its own", SLOW),
    _twins("the same, both at once", SLOW, together=True),
    Case("cold start: three times slower for 30 s", Behaviour(cold=slower(BASE, 3))),
    Case("one client sends 300 bad requests, one in 30 min", bad_client=True),
)
WORSE = (
    Case("errors +0.5 points", Behaviour(failing=constant(0.006))),
    Case("errors +1 point", Behaviour(failing=constant(0.011))),
    Case("errors +5 points", Behaviour(failing=constant(0.051))),
    Case("latency x2", Behaviour(slower(BASE, 2))),
    Case("slowest 1 % five times slower", Behaviour(slow_tail(BASE, 0.01, 5))),
    Case("1 % hang for 30 s", Behaviour(hanging(BASE, 0.01))),
    Case("0.5 % hang for 30 s", Behaviour(hanging(BASE, 0.005))),
    Case("latency growing x2 in an hour", Behaviour(growing=2)),
)


def results(case: Case, rate: float, rollouts: int) -> list[Result]:
    return [
        roll_out(case, rate, np.random.default_rng([17, n]), look_s=LOOK_S) for n in range(rollouts)
    ]


def identical_cell(case: Case, rate: float, rollouts: int) -> str:
    """Return how many per cent were rolled back, and how many were left undecided."""
    ended = [result.decision for result in results(case, rate, rollouts)]
    back = 100 * ended.count(Decision.BREACH) / rollouts
    undecided = 100 * ended.count(Decision.INCONCLUSIVE) / rollouts
    return f"{back:.2g}" + (f" ({undecided:.3g} open)" if undecided else "")


def worse_cell(case: Case, rate: float, rollouts: int) -> str:
    """Return the per cent that were promoted, and medians of minutes and clients."""
    ended = results(case, rate, rollouts)
    missed = 100 * sum(result.decision is Decision.PROVEN for result in ended) / rollouts
    minutes = float(np.median([result.minutes for result in ended]))
    exposed = float(np.median([result.exposed for result in ended]))
    return f"{missed:.2g}/{minutes:.0f}/{_rounded(exposed)}"


def _rounded(count: float) -> str:
    if count < 100:
        return f"{count:.0f}"
    digits = 2 - math.ceil(math.log10(count))
    return f"{round(count, digits):,.0f}"


def _cell(task: tuple[bool, int, float, int]) -> str:
    identical, number, rate, rollouts = task
    if identical:
        return identical_cell(IDENTICAL[number], rate, rollouts)
    return worse_cell(WORSE[number], rate, rollouts)


def table(rollouts: int, processes: int) -> str:
    """Return both tables as Markdown, below what they are made of."""
    parts = [f"{rollouts} rollouts in each cell."]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for identical, cases in ((True, IDENTICAL), (False, WORSE)):
            tasks = [
                (identical, n, rate, rollouts) for n, rate in product(range(len(cases)), RATES)
            ]
            cells = pool.map(_cell, tasks, chunksize=1)
            parts.append(_markdown(identical, cases, cells))
    return "\n\n".join(parts)


def _markdown(identical: bool, cases: Sequence[Case], cells: Sequence[str]) -> str:
    what = (
        "identical deployments: rolled back, %"
        if identical
        else "worse ones: promoted, % / minutes / clients that met it"
    )
    lines = [
        f"| {what} | " + " | ".join(f"{rate:,}/s" for rate in RATES) + " |",
        "|---" * (len(RATES) + 1) + "|",
    ]
    for n, case in enumerate(cases):
        row = cells[n * len(RATES) : (n + 1) * len(RATES)]
        lines.append(f"| {case.title} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def write_docs(text: str) -> None:
    """Put the tables below their heading, in place of those that are there."""
    page = PAGE.read_text()
    made = re.compile(r"^\d+ rollouts in each cell\.\n.*?^\| worse ones.*?(?=\n\n)", re.M | re.S)
    PAGE.write_text(made.sub(lambda _: text, page, count=1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=400)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write-docs", action="store_true")
    options = parser.parse_args()
    made = table(options.rollouts, options.processes)
    print(made)
    if options.write_docs:
        write_docs(made)
