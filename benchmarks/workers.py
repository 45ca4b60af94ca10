"""Measures what the express lane brings, and whose protocol is faster: ``make bench-workers``.

Three servers run together and are loaded in turns, a second each: our worker as shipped, our worker
without its express lane, and our front on gunicorn's asyncio protocol.
"""

from __future__ import annotations

import contextlib
import statistics
import sys

from compare import ready
from environments import check_wrk
from load import Figures
from servers import BENCHMARKS, BUILD, SERVERS, Server, Unusable
from targets import RATE
from turns import PROCESSOR, one_second

from models import LOGISTIC, train

STARTS, TURNS = 3, 6
COMMAND = "{repository}/.venv/bin/azmlinfsrv --port {port} --model_dir {model} --entry_script "
NO_CACHE = {"SCORING_CACHE": "off"}
WORKERS = (
    SERVERS["azmlinfsrv"],
    Server(
        "without-express-lane",
        "ours, without the express lane",
        f"{COMMAND}{BENCHMARKS}/entry_scripts/without_express_lane.py",
        env=NO_CACHE,
    ),
    Server(
        "gunicorn-asyncio",
        "ours, on gunicorn's asyncio protocol",
        f"{COMMAND}{BENCHMARKS}/entry_scripts/gunicorn_asyncio.py",
        env=NO_CACHE,
    ),
)


def main() -> None:
    check_wrk()
    model = train(LOGISTIC)
    turns: list[dict[str, Figures]] = []
    try:
        for number in range(STARTS):
            print(f"start {number + 1} of {STARTS}", file=sys.stderr, flush=True)
            with contextlib.ExitStack() as stack:
                up = [stack.enter_context(ready(server, model)) for server in WORKERS]
                for _ in range(TURNS):
                    turns.append({each.server.name: one_second(each, model, 1) for each in up})
    except Unusable as error:
        sys.exit(f"{error}; the log of each server is below {BUILD / 'run'}")
    print("| worker | requests/s | processor, µs a request | ratio of rates | of processor times |")
    print("|---|---:|---:|---:|---:|")
    for server in WORKERS:
        print(row(server, turns))


def row(server: Server, turns: list[dict[str, Figures]]) -> str:
    """Return the medians of a server, and those of its ratios to our worker in the same turn."""
    ours, own = [turn[WORKERS[0].name] for turn in turns], [turn[server.name] for turn in turns]
    rate = statistics.median(figures[RATE] for figures in own)
    processor = statistics.median(figures[PROCESSOR] for figures in own)
    pairs = list(zip(own, ours, strict=True))
    rate_ratio = statistics.median(a[RATE] / b[RATE] for a, b in pairs)
    processor_ratio = statistics.median(a[PROCESSOR] / b[PROCESSOR] for a, b in pairs)
    return (
        f"| {server.title} | {rate:,.0f} | {processor:.0f} "
        f"| {rate_ratio:.2f} | {processor_ratio:.2f} |"
    )


if __name__ == "__main__":
    main()
