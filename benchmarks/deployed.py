"""Measures models as people deploy them, over HTTP: ``make bench-models``.

Each model is served by the guide's script under azmlinfsrv, by a service that an expert writes by
hand around the library's own predictor or ONNX Runtime, and by us; one worker, no cache, everything
as shipped. The three run together and are loaded for a second each in turns, as in turns.py.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import time
from collections.abc import Iterator

import pandas as pd
from deployed_models import MODELS, DeployedModel, Packaged, body, packaged
from environments import check_wrk, install
from load import Figures, closed_loop
from report import DEPLOYED, machine, table, write_section
from servers import SERVERS, UVICORN, Running, Server, Unusable, predictions_in, running
from targets import P99, RATE

OURS, GUIDE, BY_HAND = "fast", "guide", "by-hand"
DEPLOYED_SERVERS = {
    OURS: SERVERS[OURS],
    GUIDE: SERVERS[GUIDE],
    BY_HAND: Server(BY_HAND, "FastAPI, by hand", UVICORN, peer=BY_HAND),
}
CONNECTIONS = 4
HEADER = [
    "model",
    "rows",
    "the guide's, requests/s",
    "by hand, requests/s",
    "ours, requests/s",
    "ours / the guide's (target)",
    "ours / by hand (target)",
    "P99 ms, by hand; ours",
    "rows that differ by hand",
]

Turn = dict[str, Figures]
"""Figures by server."""


def main() -> None:
    options = parse()
    check_wrk()
    try:
        install(BY_HAND)
    except Unusable as error:
        sys.exit(str(error))
    rows, started = [], time.monotonic()
    for name in options.models:
        print(f"{name}: fitting and packaging", file=sys.stderr, flush=True)
        model = MODELS[name]
        made = packaged(name, model)
        try:
            rows.append(row(model, made, list(turns(made, options.starts, options.turns))))
        except Unusable as error:
            rows.append([model.title, str(model.rows), f"not measured: {error}"])
        print(table(HEADER, rows[-1:]), file=sys.stderr, flush=True)
    print(table(HEADER, rows))
    if options.write_docs:
        write_section(DEPLOYED, section(rows, time.monotonic() - started))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--models", nargs="+", choices=MODELS, default=list(MODELS), help="Measure only these."
    )
    parser.add_argument("--starts", type=int, default=3, help="Start all servers this many times.")
    parser.add_argument(
        "--turns", type=int, default=4, help="Take this many turns after each start."
    )
    parser.add_argument(
        "--write-docs", action="store_true", help="Write the section of docs/benchmarks.md."
    )
    return parser.parse_args()


def section(rows: list[list[str]], seconds: float) -> str:
    return f"""{DEPLOYED}

`make bench-models` writes this section. Each model is served by the guide's script under
azmlinfsrv, by a FastAPI service written by hand around ONNX Runtime or the booster's own predictor,
and by us: one worker, no cache, {CONNECTIONS} connections. All three run together and are loaded
for a second each in turns; figures are medians. The guide's script gets texts as a list. Neither
we nor the guide's script answered a row otherwise than the estimator.
{machine()}; {seconds / 60:.0f} minutes.

{table(HEADER, rows)}
"""


def turns(made: Packaged, starts: int, each: int) -> Iterator[Turn]:
    """Yield the figures of each turn. Raises Unusable."""
    for _ in range(starts):
        with contextlib.ExitStack() as stack:
            up = {
                name: stack.enter_context(running(server, made.folder, request(server, made.asked)))
                for name, server in DEPLOYED_SERVERS.items()
            }
            for target in up.values():
                loaded(target, made)  # the first second warms it up
            for _ in range(each):
                yield {
                    name: loaded(target, made) | {"differ": differences(target, made)}
                    for name, target in up.items()
                }


def loaded(target: Running, made: Packaged) -> Figures:
    rows = request(target.server, made.asked)
    return closed_loop(target, rows, connections=CONNECTIONS, seconds=1)


def request(server: Server, frame: pd.DataFrame) -> bytes:
    return body(frame, texts_alone=server.name == GUIDE)


def differences(target: Running, made: Packaged) -> float:
    """Return how many of the rows it predicts otherwise than the estimator."""
    predictions = predictions_in(target.server, target.ask(request(target.server, made.checked)))
    return sum(a != b for a, b in zip(predictions, made.expected, strict=True))


def row(model: DeployedModel, made: Packaged, taken: list[Turn]) -> list[str]:
    def median(server: str, figure: str) -> float:
        return statistics.median(turn[server][figure] for turn in taken)

    def ratio(other: str, target: float) -> str:
        value = statistics.median(turn[OURS][RATE] / turn[other][RATE] for turn in taken)
        return f"{value:.2g} ({target:g})" if value < 10 else f"{value:.0f} ({target:g})"

    if wrong := max(turn[server]["differ"] for turn in taken for server in (OURS, GUIDE)):
        raise Unusable(f"{wrong:.0f} of {len(made.expected)} predictions differ")
    return [
        model.title,
        str(model.rows),
        *(f"{median(server, RATE):,.0f}" for server in (GUIDE, BY_HAND, OURS)),
        ratio(GUIDE, model.over_guide),
        ratio(BY_HAND, model.over_by_hand),
        f"{median(BY_HAND, P99):.2f}; {median(OURS, P99):.2f}",
        f"{median(BY_HAND, 'differ'):.0f} of {len(made.expected)}",
    ]


if __name__ == "__main__":
    main()
