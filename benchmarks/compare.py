"""Measures our servers and their peers side by side, in one run: ``make bench``, or
``benchmarks/compare.py --help``.

Each server runs alone, one after the other. Several rounds are interleaved and the median is taken,
so that a change of the machine's speed favours no server. Compare ratios within one run, never
figures of different runs or machines.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import report
from environments import check_wrk, install
from load import BadAnswers, Figures, closed_loop, open_loop
from servers import BUILD, SERVERS, Running, Server, Unusable, predictions_in, request_of, running

from models import FOREST, LOGISTIC, WIDTHS, Trained, train

CONNECTIONS = (1, 4, 16, 64)
ROWS = (1, 10, 100)
OPEN_SHARE = 0.6
"""Rate of the open loop, as a share of what the slowest server of a group holds."""

FAST = ("azmlinfsrv", "fast", "fastapi-onnx")

WIDE = ("fast", "fastapi-onnx", "fastapi-sklearn")
TWO_WORKERS = ("azmlinfsrv", "fast", "fastapi-onnx")


@dataclass(frozen=True)
class Run:
    """A server with a model. ``loads``: pairs of rows and connections to measure."""

    server: Server
    model: str
    loads: tuple[tuple[int, int], ...]
    workers: int = 1


def main() -> None:
    options = parse()
    check_wrk()
    unusable = install_all(options.only)
    runs = [run for run in planned(quick=options.quick) if run.server.name in options.only]
    trained = {name: train(name) for name in {run.model for run in runs}}
    taken: dict[str, list[Figures]] = defaultdict(list)
    for turn in range(options.rounds):
        for run in runs:
            if run.server.name not in unusable:
                print(
                    f"round {turn + 1}: {run.server.title}, {run.model}, workers {run.workers}",
                    flush=True,
                )
                try:
                    for key, figures in measured(run, trained[run.model], options.seconds):
                        taken[key].append(figures)
                except Unusable as error:
                    unusable[run.server.name] = str(error)
                    print(f"  {error}", flush=True)
    results = {key: median(rounds) for key, rounds in taken.items()}
    if not options.quick:
        results |= open_loops(options.only, trained[LOGISTIC], results, unusable, options.seconds)
    BUILD.mkdir(parents=True, exist_ok=True)
    document = {
        "machine": report.machine(),
        "unusable": unusable,
        "results": results,
        "rounds": taken,
    }
    (BUILD / "results.json").write_text(json.dumps(document, indent=1))
    text = report.markdown(results, unusable, f"{options.rounds} rounds of {options.seconds} s")
    print(text)
    if options.write_docs:
        report.write(text, results)
    sys.exit(1 if unusable else 0)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=SERVERS,
        default=list(SERVERS),
        help="Measure only these servers.",
    )
    parser.add_argument(
        "--seconds", type=int, default=3, help="Measure for this many seconds each time."
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="Take the median of this many rounds."
    )
    parser.add_argument(
        "--quick", action="store_true", help="Measure one row at four connections only."
    )
    parser.add_argument(
        "--write-docs", action="store_true", help="Write docs/benchmarks.md and its picture."
    )
    options = parser.parse_args()
    if options.write_docs and (options.quick or len(options.only) < len(SERVERS)):
        parser.error("--write-docs needs a whole run; leave out --quick and --only.")
    return options


def install_all(names: list[str]) -> dict[str, str]:
    """Install each server. Returns the reasons why some can't be measured, by their names."""
    unusable = {}
    for server in (SERVERS[name] for name in names):
        try:
            if server.peer:
                install(server.peer)
        except Unusable as error:
            unusable[server.name] = str(error)
    return unusable


def planned(*, quick: bool) -> Iterator[Run]:
    for server in SERVERS.values():
        for model in (LOGISTIC, FOREST):
            loads = [(1, connections) for connections in CONNECTIONS] + [
                (rows, 4) for rows in ROWS[1:]
            ]
            yield Run(server, model, ((1, 4),) if quick else tuple(loads))
    if not quick:
        yield from (Run(SERVERS[name], width, ((1, 4),)) for name in WIDE for width in WIDTHS)
        yield from (Run(SERVERS[name], LOGISTIC, ((1, 16),), workers=2) for name in TWO_WORKERS)


def measured(run: Run, model: Trained, seconds: int) -> Iterator[tuple[str, Figures]]:
    """Measure one server under each load. Raises Unusable."""
    with ready(run.server, model, workers=run.workers) as target:
        for rows, connections in run.loads:
            body = request_of(run.server, model.rows[:rows])
            try:
                figures = closed_loop(target, body, connections=connections, seconds=seconds)
            except BadAnswers as error:
                print(f"  {rows} rows: {error}", flush=True)
                continue
            yield report.key(run.server.name, run.model, rows, connections, run.workers), figures
        yield (
            report.key(run.server.name, run.model, 0, 0, run.workers),
            {"startup_s": target.startup, "memory_mib": target.memory()},
        )


@contextlib.contextmanager
def ready(server: Server, model: Trained, *, workers: int = 1) -> Iterator[Running]:
    """Run a server that is warm and predicts correctly. Raises Unusable."""
    body = request_of(server, model.rows[:1])
    with running(server, model.folder, body, workers=workers) as target:
        check(target, model)
        closed_loop(target, body, connections=4, seconds=1)
        yield target


def check(target: Running, model: Trained) -> None:
    """Raise Unusable if the server predicts otherwise than the estimator."""
    if target.server.constant:
        return
    try:
        answer = target.ask(request_of(target.server, model.rows))
        predictions = predictions_in(target.server, answer)
    except (OSError, ValueError, LookupError) as error:
        raise Unusable(f"it did not answer {len(model.rows)} rows: {error}") from None
    if predictions != model.expected:
        raise Unusable("it predicts otherwise than the estimator")


def open_loops(
    names: list[str],
    model: Trained,
    results: dict[str, Figures],
    unusable: dict[str, str],
    seconds: int,
) -> dict[str, Figures]:
    """Measure at two constant rates: one that all servers hold, and one for the fast servers."""
    held = {
        name: results[report.key(name, LOGISTIC, 1, 4)]["requests_per_second"]
        for name in names
        if report.key(name, LOGISTIC, 1, 4) in results and name not in unusable
    }
    figures: dict[str, Figures] = {}
    for pace, group in (("slow", list(held)), ("fast", [name for name in FAST if name in held])):
        rate = OPEN_SHARE * min((held[name] for name in group), default=0)
        for name in group:
            body = request_of(SERVERS[name], model.rows[:1])
            try:
                with ready(SERVERS[name], model) as target:
                    figures[f"open {pace} {name}"] = open_loop(
                        target, body, rate=rate, seconds=2 * seconds
                    )
            except Unusable as error:
                print(f"  open loop, {SERVERS[name].title}: {error}", flush=True)
    return figures


def median(rounds: list[Figures]) -> Figures:
    return {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}


if __name__ == "__main__":
    main()
