"""What we set out to reach, measured in turns: ``make bench-targets``.

All servers are up and are loaded for a second each, one after the other, again and again. A turn
takes less time than the machine's mood does to change, so each gives every ratio once; told are
their median, the lowest and the highest. Now and then all are started anew: where its memory
happens to lie makes one process of a server faster than another.
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
"""Of a request: the time of all the server's processes."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--starts", type=int, default=5, help="of all servers, half a minute each")
    parser.add_argument(
        "--turns", type=int, default=4, help="of each start, some twenty seconds each"
    )
    options = parser.parse_args()
    check_wrk()
    cells = asked()
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


def asked() -> list[Cell]:
    """What the targets ask for, each once."""
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
    return figures | {
        PROCESSOR: spent / figures[RATE] * 1e6
    }  # of one second, so the rate is their number


def ratios(taken: list[dict[Cell, Figures]]) -> str:
    lines = ["| ratio | target | median | lowest to highest | |", "|---|---|---:|---|---|"]
    for target in TARGETS:
        found = sorted(
            target.ratio(
                lambda name, model, rows, figure, turn=turn: turn[name, model, rows][figure]
            )
            for turn in taken
        )
        middle = statistics.median(found)
        spread = f"{found[0]:.2f} to {found[-1]:.2f}"
        lines.append(
            f"| {target.what} | {target.bound} | {middle:.2f} | {spread} | "
            f"{target.verdict(middle)} |"
        )
    return "\n".join(lines)


def costs(taken: list[dict[Cell, Figures]]) -> str:
    """What a request takes of the processors: steadier than a rate, which the load's generator has
    a part in."""
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
