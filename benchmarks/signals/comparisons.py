"""How often the 95 % intervals of `mlops compare` hold no difference of identical deployments.

``python -m benchmarks.signals.comparisons --write-docs`` (minutes) writes the table of
docs/rollout.md.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.signals.simulated_traffic import (
    BASE,
    Behaviour,
    Case,
    Spells,
    Traffic,
    paused,
    slower,
)
from mlops.rollout.comparison import compare

PAGE = Path(__file__).parents[2] / "docs" / "rollout.md"
RATES = (2, 20)
MINUTES = 120
WHAT = ("P50", "P95", "P99", "errors")


def _twins(title: str, spells: Spells | None) -> Case:
    return Case(title, Behaviour(spells=spells), Behaviour(spells=spells))


CASES = (
    _twins("independent requests", None),
    _twins("pauses of 1 s, one in 5 min, each its own", Spells(1, 300, paused(BASE))),
    _twins(
        "30 s three times slower, one in 20 min, each its own", Spells(30, 1200, slower(BASE, 3))
    ),
    _twins("half of 5 s fail, one in 10 min, each its own", Spells(5, 600, BASE, failing=0.5)),
)


def coverage(case: Case, rate: float, trials: int) -> Counter[str]:
    """Return in how many trials the interval of each figure holds 0. Both get half of the
    requests."""
    held: Counter[str] = Counter()
    end_s = 60 * MINUTES
    for seed in range(trials):
        traffic = Traffic(case, rate, np.random.default_rng([19, seed]), end_s)
        new, old = (traffic.tally(name, 0.5, 0, end_s) for name in ("new", "old"))
        for row in compare(new, old, None, seed):
            held[row.what] += row.low <= 0 <= row.high
    return held


def table(trials: int) -> str:
    lines = [
        f"{trials} trials in each cell.",
        "",
        f"| | {' | '.join(f'{what}, {rate}/s' for rate in RATES for what in WHAT)} |",
        "|---" * (len(RATES) * len(WHAT) + 1) + "|",
    ]
    for case in CASES:
        cells = [
            f"{100 * held[what] / trials:.0f}"
            for held in (coverage(case, rate, trials) for rate in RATES)
            for what in WHAT
        ]
        lines.append(f"| {case.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_docs(text: str) -> None:
    """Put the table below its heading, in place of the one that is there."""
    page = PAGE.read_text()
    made = re.compile(r"^\d+ trials in each cell\.\n\n.*?(?=\n\n|\Z)", re.M | re.S)
    PAGE.write_text(made.sub(lambda _: text, page, count=1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--write-docs", action="store_true")
    options = parser.parse_args()
    made = table(options.trials)
    print(made)
    if options.write_docs:
        write_docs(made)
