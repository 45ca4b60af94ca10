"""Measures our targets in turns: ``make bench-targets``.

All servers run together and are loaded for a second each, one after the other, again and again. The
machine's speed hardly changes within a turn, so each turn gives every ratio once. The report shows
their median, lowest and highest. From time to time all servers are restarted, because memory layout
makes one process of a server faster than another.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys

from compare import install_all, ready
from environments import check_wrk
from load import Figures, closed_loop
from servers import BUILD, SERVERS, Running, Unusable, request_of
from targets import RATE, TARGETS

from models import Trained, train

Cell = tuple[str, str, int]
"""Server, model, rows."""

PROCESSOR = "processor_us"
"""Figure for the processor time of all the server's processes for one request."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--starts",
        type=int,
        default=5,
        help="Start all servers this many times, half a minute each.",
    )
    parser.add_argument(
        "--turns",
        type=int,
        default=4,
        help="Take this many turns after each start, some twenty seconds each.",
    )
    options = parser.parse_args()
    check_wrk()
    cells = target_cells()
    if unusable := install_all(sorted({name for name, _, _ in cells})):
        sys.exit("\n".join(f"{name}: {why}" for name, why in unusable.items()))
    trained = {name: train(name) for name in sorted({model for _, model, _ in cells})}
    taken = []
    try:
        for number in range(options.starts):
            print(f"start {number + 1} of {options.starts}", file=sys.stderr, flush=True)
            with contextlib.ExitStack() as stack:
                up = {
                    (name, model): stack.enter_context(ready(SERVERS[name], trained[model]))
                    for name, model in dict.fromkeys(cell[:2] for cell in cells)
                }
                for _ in range(options.turns):
                    taken.append(
                        {
                            cell: one_second(up[cell[:2]], trained[cell[1]], cell[2])
                            for cell in cells
                        }
                    )
    except Unusable as error:
        sys.exit(f"{error}; the log of each server is below {BUILD / 'run'}")
    print(ratios(taken))
    print()
    print(costs(taken))


def target_cells() -> list[Cell]:
    """Return what the targets need measured, each once."""
    cells: dict[Cell, None] = {}

    def note(server: str, model: str, rows: int, _: str) -> float:
        cells[server, model, rows] = None
        return 1.0

    for target in TARGETS:
        target.ratio(note)
    return list(cells)


def one_second(target: Running, model: Trained, rows: int) -> Figures:
    before = target.processor_seconds()
    figures = closed_loop(
        target, request_of(target.server, model.rows[:rows]), connections=4, seconds=1
    )
    spent = target.processor_seconds() - before
    # In one second, so the rate is the number of requests.
    return figures | {PROCESSOR: spent / figures[RATE] * 1e6}


def ratios(taken: list[dict[Cell, Figures]]) -> str:
    lines = ["| ratio | target | median | lowest to highest | |", "|---|---|---:|---|---|"]
    for target in TARGETS:
        values = sorted(
            target.ratio(
                lambda name, model, rows, figure, turn=turn: turn[name, model, rows][figure]
            )
            for turn in taken
        )
        middle = statistics.median(values)
        spread = f"{values[0]:.2f} to {values[-1]:.2f}"
        lines.append(
            f"| {target.what} | {target.bound} | {middle:.2f} | {spread} | "
            f"{target.verdict(middle)} |"
        )
    return "\n".join(lines)


def costs(taken: list[dict[Cell, Figures]]) -> str:
    """Return the processor time of a request, which is steadier than the rate: the load generator
    affects the rate."""
    lines = [
        "| server | model | rows | requests/s | processor, µs a request |",
        "|---|---|---:|---:|---:|",
    ]
    for name, model, rows in taken[0]:
        rate, spent = (
            statistics.median(turn[name, model, rows][figure] for turn in taken)
            for figure in (RATE, PROCESSOR)
        )
        lines.append(f"| {SERVERS[name].title} | {model} | {rows} | {rate:,.0f} | {spent:,.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
