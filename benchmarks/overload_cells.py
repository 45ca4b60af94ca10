"""What is measured of one server with one model, and the arithmetic of it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self
from urllib.error import URLError

from overload_models import OverloadModel, bodies
from overload_watch import Probe, Watch
from servers import Running, Server, Unusable, running

from azureml_scoring.client.headers import request_headers
from mlops.load.goodput import (
    Goodput,
    capacity,
    goodput,
    overload_plan,
)
from mlops.load.run import LoadPlan, SentRequest, run
from mlops.load.stages import Stage
from models import Trained

LIMITS_MS = (200.0, 500.0)
EASE = 0.5
"""The load, as a multiple of capacity, at which latency is normal."""

CAPACITY_S = 4.0
RECOVERY_S = 3.0
RECOVERY_WINDOW_S = 0.5
NORMAL_FACTOR, NORMAL_SHARE = 1.5, 0.9
"""Latency is normal again where nine tenths of the answers take at most 1.5 times the P95 at
ease."""

SETTLE_TRIES = 3
REFUSED_PAUSE_S = 0.3
LEAVE_AFTER_S = 0.5
RETRIES = 3


@dataclass
class Cell:
    """One server with one model. ``loads``: goodput by load. ``probes``: those of the loads above
    capacity. ``recovery_s``: until latency was normal after the highest load, infinite if never.
    ``growth_mb``: memory, under that load. ``computed``: predictions for one answer in time where
    clients leave. ``retried_g500``: of clients that retry at once. The last two are ours only."""

    capacity: float
    loads: dict[float, Goodput] = field(default_factory=dict)
    probes: list[Probe] = field(default_factory=list)
    recovery_s: float = math.nan
    growth_mb: float = math.nan
    computed: float = math.nan
    retried_g500: float = math.nan
    generator_cpu: float = 0.0


class ServerUnderLoad:
    """A server that is started anew when it has not recovered from a load. Raises Unusable."""

    def __init__(self, server: Server, model: OverloadModel, trained: Trained) -> None:
        self._server, self._trained = server, trained
        self._bodies = bodies(server, model, trained.rows)
        self._connections = model.connections
        self._stack = ExitStack()
        self.plan = LoadPlan("", request_headers(None, None), (), {}, (), bodies=self._bodies)
        self.generator_cpu = 0.0

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def capacity(self) -> float:
        """Measure the answers a second in a closed loop. Raises Unusable."""
        measured = capacity(self.plan, CAPACITY_S, [self._connections])
        if not measured:
            raise Unusable("it answered nothing in a closed loop")
        self.settle()
        return measured

    def load(self, plan: LoadPlan) -> tuple[Sequence[SentRequest], Watch]:
        """Send the requests of ``plan``, and watch."""
        with Watch(self.target) as watch:
            sent = run(plan)
        self.generator_cpu = max(self.generator_cpu, sent.cpu or 0.0)
        return sent.requests, watch

    def settle(self, normal_ms: float = 1000.0) -> int:
        """Wait until two answers in a row are normal, or start the server anew. Return how many
        requests it sent."""
        normal = 0
        for tries in range(1, SETTLE_TRIES + 1):
            try:
                self.target.ask(self._bodies[-1].encode(), timeout_s=normal_ms / 1000)
                normal += 1
            except (URLError, OSError):
                normal = 0
                time.sleep(REFUSED_PAUSE_S)
            if normal == 2:
                return tries
        self._stack.close()
        self._start()
        return SETTLE_TRIES

    def _start(self) -> None:
        server, folder = self._server, self._trained.folder
        self.target: Running = self._stack.enter_context(
            running(server, folder, self._bodies[-1].encode())
        )
        self.plan = replace(self.plan, url=self.target.url)


def measured(server: ServerUnderLoad, loads: Sequence[float], seconds: float) -> Iterator[Cell]:
    """Yield the cell, again after each load of ``loads``, which ascend from EASE."""
    cell = Cell(server.capacity())
    normal_ms = math.inf
    for load in loads:
        stage = Stage(seconds, load * cell.capacity)
        last = load == loads[-1]
        stages = [stage, Stage(RECOVERY_S, EASE * cell.capacity)] if last else [stage]
        sent, watch = server.load(overload_plan(server.plan, stages))
        at_load = cell.loads[load] = goodput(sent, stage, cell.capacity, LIMITS_MS)
        if load == EASE:
            normal_ms = NORMAL_FACTOR * at_load.p95_ms
        if load > 1:
            cell.probes += watch.probes
        if last:
            cell.growth_mb = watch.growth_mb
            cell.recovery_s = recovery(sent, stage.seconds, normal_ms)
        cell.generator_cpu = server.generator_cpu
        yield cell
        server.settle(min(max(normal_ms, 100.0), 1000.0))


def with_impatient_clients(
    server: ServerUnderLoad, cell: Cell, count_file: Path, seconds: float
) -> None:
    """Measure, at twice the capacity, clients that leave early, and those that retry at once."""
    stage = Stage(seconds, 2 * cell.capacity)
    before = count_file.stat().st_size
    sent, _ = server.load(replace(overload_plan(server.plan, [stage]), timeout_s=LEAVE_AFTER_S))
    not_theirs = server.settle()
    answered = sum(request.fine for request in sent)
    cell.computed = (count_file.stat().st_size - before - not_theirs) / max(answered, 1)
    sent, _ = server.load(replace(overload_plan(server.plan, [stage]), retries=RETRIES))
    cell.retried_g500 = goodput(sent, stage, cell.capacity, LIMITS_MS).within[500.0]
    server.settle()


def recovery(sent: Sequence[SentRequest], begins_s: float, normal_ms: float) -> float:
    """Return how long after ``begins_s`` the first half second begins in which latency is normal;
    infinite if none is."""
    later = sorted(
        (request.due_s - begins_s, request.fine and request.latency_ms <= normal_ms)
        for request in sent
        if request.due_s >= begins_s
    )
    for begin, _ in later:
        if begin + RECOVERY_WINDOW_S > later[-1][0]:
            break
        window = [fine for due, fine in later if begin <= due < begin + RECOVERY_WINDOW_S]
        if sum(window) >= NORMAL_SHARE * len(window):
            return begin
    return math.inf
