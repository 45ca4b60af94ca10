"""A soak: load at one rate, with a fault at the beginning of each phase but the first and the
last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redis
from anyio.from_thread import start_blocking_portal

from azureml_scoring.client.headers import request_headers
from mlops import local_redis
from mlops.load import mix
from mlops.load.figures import Objectives
from mlops.load.report import Result
from mlops.load.run import LoadPlan, SentRequest, run
from mlops.load.stages import Stage
from mlops.rehearsal.deployment import DeployedModel
from mlops.soak.balancer import Balancer
from mlops.soak.faults import KILLED, PHASES, Faults

WORKERS = 2
CONNECTIONS = 100
LOST_STATUSES = frozenset({0, 502})
"""Nobody answered: the connection broke, or there was none."""

MAX_MEMORY_GROWTH = 0.1
"""As a share of the memory after the first phase."""

SETTINGS = {
    "WORKER_COUNT": str(WORKERS),
    "SCORING_CACHE": "redis",
    "SCORING_CACHE_MUST_PAY": "false",  # else so quick a model would bypass Redis
    "SCORING_CACHE_MAX_BYTES": "1000000",  # soon full, so that later growth is a leak
    "SCORING_DRAIN_MS": "2000",
}


@dataclass(frozen=True)
class Soaked:
    """The result of a soak. ``memory``: of the workers of the instance without faults, at the end
    of each phase, in bytes."""

    result: Result
    memory: Sequence[int]

    @property
    def lost(self) -> list[int]:
        """Requests without an answer, by phase."""
        requests = self.result.run.requests
        return [
            sum(request.stage == place and request.status in LOST_STATUSES for request in requests)
            for place in range(len(PHASES))
        ]

    @property
    def growth(self) -> float:
        """The growth of the memory since the first phase, as a share of it."""
        return self.memory[-1] / self.memory[0] - 1

    @property
    def problems(self) -> list[str]:
        problems = list(self.result.broken)
        for phase, lost in zip(PHASES, self.lost, strict=True):
            if lost and phase != KILLED:  # a killed worker loses what it was computing
                problems.append(f"{lost} requests were lost: {phase}")
        if self.growth > MAX_MEMORY_GROWTH:
            problems.append(f"the memory grew by {self.growth:.0%}")
        return problems


def soak(
    artifact: Path,
    rows: Sequence[Sequence[Any]],
    folder: Path,
    *,
    rate: float,
    phase_s: float,
    follow: Callable[[SentRequest], None],
) -> Soaked:
    """Run the soak; the logs go to ``folder``. Raises StartupError."""
    folder.mkdir(parents=True, exist_ok=True)
    stages = [Stage(phase_s, rate)] * len(PHASES)
    begun = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    redis_port = local_redis.start()
    with redis.Redis(port=redis_port) as client:
        redis_pid = int(client.info()["process_id"])
    with start_blocking_portal() as portal:
        balancer = Balancer(
            DeployedModel(artifact, SETTINGS | {"REDIS_URL": f"redis://127.0.0.1:{redis_port}"}),
            folder,
        )
        with portal.wrap_async_context_manager(balancer.serving()) as url:
            faults = Faults(balancer, portal, redis_pid, phase_s)

            def follow_phase(request: SentRequest) -> None:
                follow(request)
                faults.begin(request.stage)

            plan = LoadPlan(
                url,
                request_headers(None, None),
                stages,
                mix.DEFAULT_SHARES,
                rows,
                connections=CONNECTIONS,
            )
            try:
                load_run = run(plan, follow_phase)
                memory = faults.over()
            finally:
                faults.thaw()
    return Soaked(Result(url, begun, stages, Objectives(), load_run), memory)
