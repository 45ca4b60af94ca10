"""What we set out to reach, measured in turns: ``make bench-targets``.

All servers are up and are loaded for a second each, one after the other, again and again. A turn takes less time than
the machine's mood does to change, so each gives every ratio once; told are their median, the lowest and the highest.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
from collections.abc import Iterator

from compare import check, install_all
from environments import check_wrk
from load import Figures, closed_loop
from servers import SERVERS, Running, request_of, running
from targets import PEERS, TARGETS

from models import FOREST, LOGISTIC, Trained, train

ASKED = {
    (LOGISTIC, 1): ("fast", "azmlinfsrv", "guide", "granian", *PEERS),
    (LOGISTIC, 100): ("fast", *PEERS),
    (FOREST, 1): ("azmlinfsrv", "guide"),
}
"""(model, rows) -> who is asked for it."""

Cell = tuple[str, str, int]
"""Server, model, rows."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=10)
    turns = parser.parse_args().turns
    check_wrk()
    if unusable := install_all(sorted({name for names in ASKED.values() for name in names})):
        sys.exit("\n".join(f"{name}: {why}" for name, why in unusable.items()))
    trained = {model: train(model) for model in (LOGISTIC, FOREST)}
    cells = [(name, model, rows) for (model, rows), names in ASKED.items() for name in names]
    with contextlib.ExitStack() as stack:
        up: dict[tuple[str, str], Running] = {}
        for name, model, _ in cells:
            if (name, model) not in up:
                print(f"starting {SERVERS[name].title}, {model}", file=sys.stderr, flush=True)
                up[name, model] = stack.enter_context(started(name, trained[model]))
        taken = []
        for number in range(turns):
            print(f"turn {number + 1} of {turns}", file=sys.stderr, flush=True)
            taken.append({cell: one_second(up[cell[:2]], trained[cell[1]], cell[2]) for cell in cells})
    print(table(taken))


@contextlib.contextmanager
def started(name: str, model: Trained) -> Iterator[Running]:
    """Right and warm. Raises Unusable."""
    body = request_of(SERVERS[name], model.rows[:1])
    with running(SERVERS[name], model.folder, body) as target:
        check(target, model)
        closed_loop(target, body, connections=4, seconds=1)
        yield target


def one_second(target: Running, model: Trained, rows: int) -> Figures:
    return closed_loop(target, request_of(target.server, model.rows[:rows]), connections=4, seconds=1)


def table(taken: list[dict[Cell, Figures]]) -> str:
    lines = ["| ratio | target | median | lowest to highest | |", "|---|---|---:|---|---|"]
    for target in TARGETS:
        ratios = sorted(
            target.ratio(lambda name, model, rows, figure, turn=turn: turn[name, model, rows][figure]) for turn in taken
        )
        middle = statistics.median(ratios)
        bound = f"at {'most' if target.at_most else 'least'} {target.limit:g}"
        verdict = "reached" if target.reached(middle) else "**not reached**"
        lines.append(f"| {target.what} | {bound} | {middle:.2f} | {ratios[0]:.2f} to {ratios[-1]:.2f} | {verdict} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
