"""A run: the plan goes to the generator's process, its answers come back while they are given."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any, NamedTuple

import orjson

from azureml_scoring.errors import StartupError
from mlops import extras
from mlops.load.mix import Kind, as_it_should
from mlops.load.stages import Stage

TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Plan:
    """``connections``: requests at once; more wait for one, and their waiting counts. ``rows``: see
    mix.Mix."""

    url: str
    headers: dict[str, str]
    stages: Sequence[Stage]
    shares: dict[Kind, int]
    rows: Sequence[Sequence[Any]]
    connections: int = 200
    timeout_s: float = TIMEOUT_S


class Asked(NamedTuple):
    """``stage``: its place. ``due_s``: since the start. ``waited_ms``: for a connection, part of
    ``latency_ms``. ``status``: the model's own, 0 for no answer."""

    stage: int
    kind: Kind
    due_s: float
    waited_ms: float
    latency_ms: float
    status: int

    @property
    def fine(self) -> bool:
        return as_it_should(self.kind, self.status)


@dataclass(frozen=True)
class Done:
    """``cpu``: of a processor that the generator took, or None where it was stopped early."""

    asked: Sequence[Asked]
    cpu: float | None


def run(plan: Plan, follow: Callable[[Asked], None]) -> Done:
    """Until all are answered, or Ctrl-C. Raises StartupError."""
    if find_spec("locust") is None:  # the generator's process imports it
        raise StartupError(f"Load needs locust; run `{extras.command('load')}`.")
    asked: list[Asked] = []
    cpu = None
    command = [sys.executable, "-m", "mlops.load.generator", str(os.getpid())]
    with tempfile.TemporaryFile() as told:
        told.write(orjson.dumps(asdict(plan), option=orjson.OPT_NON_STR_KEYS))
        told.seek(0)
        process = subprocess.Popen(  # noqa: S603
            command, stdin=told, stdout=subprocess.PIPE, start_new_session=True
        )
    with process:
        try:
            for line in process.stdout or ():
                first, *rest = line.decode().split(",")
                if first == "cpu":
                    cpu = float(rest[0])
                else:
                    asked.append(_asked(int(first), *rest))
                    follow(asked[-1])
        except KeyboardInterrupt:
            process.kill()
            if not asked:
                raise
        except BaseException:
            process.kill()
            raise
    if not asked:
        raise StartupError(
            "The load generator ended before any answer came; correct what it says above."
        )
    return Done(asked, cpu)


def _asked(stage: int, kind: str, due: str, waited: str, latency: str, status: str) -> Asked:
    return Asked(stage, Kind(kind), float(due), float(waited), float(latency), int(status))
