"""What we set out to reach, measured in turns: ``make bench-targets``.

All servers are up and are loaded for a second each, one after the other, again and again. A turn takes less time than
the machine's mood does to change, so each gives every ratio once; told are their median, the lowest and the highest.
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
from targets import TARGETS

from models import Trained, train

Cell = tuple[str, str, int]
"""Server, model, rows."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=10, help="of some twenty seconds each")
    turns = parser.parse_args().turns
    check_wrk()
    cells = asked()
    if unusable := install_all(sorted({name for name, _, _ in cells})):
        sys.exit("\n".join(f"{name}: {why}" for name, why in unusable.items()))
    trained = {name: train(name) for name in sorted({model for _, model, _ in cells})}
    try:
        with contextlib.ExitStack() as stack:
            up: dict[tuple[str, str], Running] = {}
            for name, model in dict.fromkeys(cell[:2] for cell in cells):
                print(f"starting {SERVERS[name].title}, {model}", file=sys.stderr, flush=True)
                up[name, model] = stack.enter_context(ready(SERVERS[name], trained[model]))
            taken = []
            for number in range(turns):
                print(f"turn {number + 1} of {turns}", file=sys.stderr, flush=True)
                taken.append({cell: one_second(up[cell[:2]], trained[cell[1]], cell[2]) for cell in cells})
    except Unusable as error:
        sys.exit(f"{error}; the log of each server is below {BUILD / 'run'}")
    print(table(taken))


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
    return closed_loop(target, request_of(target.server, model.rows[:rows]), connections=4, seconds=1)


def table(taken: list[dict[Cell, Figures]]) -> str:
    lines = ["| ratio | target | median | lowest to highest | |", "|---|---|---:|---|---|"]
    for target in TARGETS:
        ratios = sorted(
            target.ratio(lambda name, model, rows, figure, turn=turn: turn[name, model, rows][figure]) for turn in taken
        )
        middle = statistics.median(ratios)
        spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
        lines.append(f"| {target.what} | {target.bound} | {middle:.2f} | {spread} | {target.verdict(middle)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
