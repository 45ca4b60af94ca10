"""The measurements of one model: each server, then what only ours has."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from overload_cells import EASE, LIMITS_MS, Cell, ServerUnderLoad, measured, with_impatient_clients
from overload_models import MODELS, OURS, served
from overload_targets import Results
from servers import Unusable

from azureml_scoring.errors import StartupError
from mlops.load.goodput import goodput, overload_plan
from mlops.load.stages import Stage
from models import Trained

PARTS = ("loads", "clients", "slots", "batching", "connections")
"""Loads in the whole; clients that leave or retry; fixed numbers of slots; micro-batching; probes
beside many connections."""

SLOTS = (1, 2, 48)
SLOT_MODELS = ("gil", "free", "wait", "bimodal", "forest")
BATCHING_MODEL, BATCHING_LOAD = "gil", 5.0
BATCHING_OFF = {"SCORING_MICRO_BATCH_ROWS": "1"}
CONNECTIONS_MODEL, MANY_CONNECTIONS = "compiled", 900
SEARCH_LOAD, SEARCH_S = 2.0, 4.0


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
                capacity = server.capacity()
                stage = Stage(SEARCH_S, SEARCH_LOAD * capacity)
                sent, _ = server.load(overload_plan(server.plan, [stage]))
                tried[limit] = goodput(sent, stage, capacity, LIMITS_MS).within
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
            alone = server.capacity()
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


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
