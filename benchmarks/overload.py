"""Measures what servers do with more requests than they can answer: ``make bench-overload``, or
``benchmarks/overload.py --help``.

For each model and server, it measures the server's own capacity in a closed loop, then offers
multiples of it at a constant rate. Goodput is what is answered in time, as a share of capacity. The
servers run one after the other, with one worker and no cache; compare them only within one run.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import overload_report
from compare import install_all
from overload_cells import EASE, Cell, ServerUnderLoad, measured, with_impatient_clients
from overload_models import MODELS, OURS, OVERLOAD_SERVERS, served, trained
from overload_targets import Results
from servers import BUILD, Unusable

from azureml_scoring.errors import StartupError
from mlops.load.goodput import CLOSED_LOOP_CONNECTIONS, goodput, overload_plan
from mlops.load.stages import Stage
from models import Trained

PARTS = ("loads", "clients", "slots", "batching", "connections")
LOADS = (EASE, 0.9, 1.2, 2.0, 5.0)
BENTOML_CONCURRENCY = (1, 3, 8)
SLOTS = (1, 2, 48)
SLOT_MODELS = ("gil", "free", "wait", "bimodal", "forest")
BATCHING_MODEL, BATCHING_LOAD = "gil", 5.0
BATCHING_OFF = {"SCORING_MICRO_BATCH_MS": "0"}
CONNECTIONS_MODEL, MANY_CONNECTIONS = "compiled", 900
SEARCH_LOAD, SEARCH_S = 2.0, 4.0


def main() -> None:
    options = parse()
    chosen = {name: OVERLOAD_SERVERS[name] for name in options.servers}
    unusable = install_all([server.name for server in chosen.values()])
    names = {name for name, server in chosen.items() if server.name not in unusable}
    results = Results(seconds=options.seconds)
    results.unusable = {chosen[name].title: why for name, why in unusable.items() if name in chosen}
    begun = time.monotonic()
    for model_name in options.models:
        say(f"{model_name}: making the model")
        bench = ModelBench(model_name, trained(model_name), results, options)
        for name in (OURS, *MODELS[model_name].peers):
            if name in names:
                bench.try_server(name)
        if OURS in names:
            bench.try_extras()
        results.minutes = (time.monotonic() - begun) / 60
        document = json.dumps(dataclasses.asdict(results), indent=1)
        (BUILD / "overload.json").write_text(document)
    print(overload_report.section(results))
    if options.write_docs:
        overload_report.write(results)
    sys.exit(1 if results.unusable else 0)


class ModelBench:
    """The measurements of one model, which go into ``results``."""

    def __init__(
        self, name: str, model: Trained, results: Results, options: argparse.Namespace
    ) -> None:
        self._name, self._spec, self._trained = name, MODELS[name], model
        self._results, self._options = results, options

    def try_server(self, name: str) -> None:
        """Measure one server."""
        with self._noting(name):
            env = self._bentoml_env() if name == "bentoml" else {}
            if {"loads", "clients"} & set(self._options.parts):
                self._cell(name, env)

    def try_extras(self) -> None:
        """Measure what only our server has."""
        parts = self._options.parts
        with self._noting(OURS):
            if "slots" in parts and self._name in SLOT_MODELS:
                self._slots()
            if "batching" in parts and self._name == BATCHING_MODEL:
                self._batching()
            if "connections" in parts and self._name == CONNECTIONS_MODEL:
                self._connections()

    @contextlib.contextmanager
    def _noting(self, server: str) -> Iterator[None]:
        """Note why a server can't be measured, and go on."""
        try:
            yield
        except (StartupError, Unusable) as error:
            self._results.unusable[f"{server}, {self._name}"] = str(error)
            say(f"  {error}")

    def _cell(self, name: str, env: dict[str, str]) -> None:
        loads = loads_of(name, self._options)
        with tempfile.NamedTemporaryFile() as count:
            counted = {"SLOW_COUNT": count.name} if name == OURS else {}
            with self._server(name, **env, **counted) as server:
                for cell in measured(server, loads, self._options.seconds):
                    self._results.cells.setdefault(self._name, {})[name] = cell
                    say(f"{self._name}, {name}: {told(cell)}")
                if name == OURS and "clients" in self._options.parts and self._spec.counts_calls:
                    with_impatient_clients(server, cell, Path(count.name), self._options.seconds)

    def _bentoml_env(self) -> dict[str, str]:
        """Find the ``max_concurrency`` with the best goodput at twice the capacity."""
        tried = self._results.bentoml.setdefault(self._name, {})
        for limit in self._options.bentoml_concurrency:
            with self._server("bentoml", MAX_CONCURRENCY=str(limit)) as server:
                capacity = server.capacity(CLOSED_LOOP_CONNECTIONS[:1])
                stage = Stage(SEARCH_S, SEARCH_LOAD * capacity)
                sent, _ = server.load(overload_plan(server.plan, [stage]))
                tried[limit] = goodput(sent, stage, capacity, (200.0, 500.0)).within
            say(f"{self._name}, bentoml, max_concurrency={limit}: {tried[limit]}")
        best = max(tried, key=lambda limit: sum(tried[limit].values()))
        return {"MAX_CONCURRENCY": str(best)}

    def _slots(self) -> None:
        fixed = self._results.slots.setdefault(self._name, {})
        for slots in SLOTS:
            with self._server(OURS, SCORING_SLOTS=str(slots)) as server:
                fixed[slots] = server.capacity()
            say(f"{self._name}, {slots} slots: {fixed[slots]:.1f}/s")

    def _batching(self) -> None:
        with self._server(OURS, **BATCHING_OFF) as server:
            alone = server.capacity(CLOSED_LOOP_CONNECTIONS[:1])
        stage = Stage(self._options.seconds, BATCHING_LOAD * alone)
        with self._server(OURS) as server:
            sent, _ = server.load(overload_plan(server.plan, [stage]))
        self._results.batching = goodput(sent, stage, alone, (500.0,)).within[500.0]
        say(f"{self._name}, micro-batching: {self._results.batching:.2f}")

    def _connections(self) -> None:
        with self._server(OURS) as server:
            plan = replace(
                server.plan,
                closed_loop_s=self._options.seconds,
                connections=MANY_CONNECTIONS,
                timeout_s=5.0,
            )
            _, watch = server.load(plan)
        self._results.many_connections = watch.probes
        say(f"{self._name}, {MANY_CONNECTIONS} connections: {len(watch.probes)} probes")

    def _server(self, name: str, **env: str) -> ServerUnderLoad:
        return ServerUnderLoad(served(name, self._spec, **env), self._spec, self._trained)


def loads_of(name: str, options: argparse.Namespace) -> Sequence[float]:
    """Return the loads for a server: below capacity only ours is of interest, beside EASE."""
    if "loads" not in options.parts:
        return [EASE]
    loads = [load for load in options.loads if name == OURS or load > 1]
    return sorted({EASE, *loads})


def told(cell: Cell) -> str:
    load, at_load = next(reversed(cell.loads.items()))
    within = ", ".join(f"g{limit:.0f} {share:.2f}" for limit, share in at_load.within.items())
    return f"{cell.capacity:.1f}/s; {load:g} times: {within}, refused {at_load.refused:.1%}"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=names_of(MODELS), default=list(MODELS))
    parser.add_argument(
        "--servers", type=names_of(OVERLOAD_SERVERS), default=list(OVERLOAD_SERVERS)
    )
    parser.add_argument(
        "--parts", type=names_of(PARTS), default=list(PARTS), help="What is measured."
    )
    parser.add_argument(
        "--loads",
        type=lambda text: sorted(map(float, text.split(","))),
        default=list(LOADS),
        help="Multiples of capacity to offer.",
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="How long each is offered.")
    parser.add_argument(
        "--bentoml-concurrency",
        type=lambda text: list(map(int, text.split(","))),
        default=list(BENTOML_CONCURRENCY),
        help="Values of max_concurrency to try for each model.",
    )
    parser.add_argument(
        "--write-docs", action="store_true", help="Write the section of docs/benchmarks.md."
    )
    return parser.parse_args()


def names_of(known: Sequence[str] | dict[str, object]) -> object:
    """Return a parser of names of ``known``, separated by commas."""

    def parse_names(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := set(chosen) - set(known):
            raise argparse.ArgumentTypeError(
                f"there is no {', '.join(sorted(unknown))}; name some of {', '.join(known)}"
            )
        return [name for name in known if name in chosen]

    return parse_names


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
