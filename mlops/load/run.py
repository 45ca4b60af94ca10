"""A run of a load: the plan goes to the generator's process, which reports each request."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import orjson

from azureml_scoring.errors import StartupError
from mlops.load.mix import RequestKind, as_it_should
from mlops.load.stages import Stage

TIMEOUT_S = 30.0


@dataclass(frozen=True)
class LoadPlan:
    """What the generator sends.

    ``rows``: as ``mix.Mix`` takes them. ``connections``: how many requests may be under way; more
    wait for one of them, and their waiting counts. ``timeout_s``: when a client gives up.

    ``bodies``: sent in place of a mix, as ``mix.Bodies`` does. ``closed_loop_s``: in place of
    stages, so many seconds of a closed loop: each connection's next request follows its answer.
    ``retries``: how often a refused request is sent again. ``patience_s``: how long answers are
    waited for after the last request was due; None: until each client has given up.
    """

    url: str
    headers: dict[str, str]
    stages: Sequence[Stage]
    shares: dict[RequestKind, int]
    rows: Sequence[Sequence[Any]]
    connections: int = 200
    timeout_s: float = TIMEOUT_S
    bodies: Sequence[str] = ()
    closed_loop_s: float = 0.0
    retries: int = 0
    patience_s: float | None = None


class SentRequest(NamedTuple):
    """A request and what came of it.

    ``stage``: the stage's index. ``due_s``: since the start of the run. ``waited_ms``: for a
    connection, part of ``latency_ms``. ``status``: the model's own, 0 without an answer.
    ``deployment``: which one answered, where an endpoint names it.
    """

    stage: int
    kind: RequestKind
    due_s: float
    waited_ms: float
    latency_ms: float
    status: int
    deployment: str = ""

    @property
    def fine(self) -> bool:
        return as_it_should(self.kind, self.status)


@dataclass(frozen=True)
class LoadRun:
    """A finished run. ``cpu``: the share of a processor that the generator took; None if it was
    stopped early."""

    requests: Sequence[SentRequest]
    cpu: float | None


class GeneratorProcess:
    """The generator at work. ``began``: when its first request was due, in seconds since 1970.
    ``cpu``: as in ``LoadRun``."""

    def __init__(self, process: subprocess.Popen[bytes], plan: LoadPlan) -> None:
        assert process.stdin  # noqa: S101
        assert process.stdout  # noqa: S101
        self._stdin, self._lines = process.stdin, process.stdout
        with contextlib.suppress(BrokenPipeError):
            self._stdin.write(orjson.dumps(asdict(plan), option=orjson.OPT_NON_STR_KEYS) + b"\n")
            self._stdin.flush()
        first = self._lines.readline()
        if not first:
            raise StartupError("The load generator did not start; correct what it says above.")
        self.began = float(first)
        self.cpu: float | None = None

    def requests(self) -> Iterator[SentRequest]:
        """Yield each request as soon as it is answered."""
        for line in self._lines:
            first, *rest = line.decode().rstrip("\n").split(",")
            if first == "cpu":
                self.cpu = float(rest[0])
            else:
                yield _request(int(first), *rest)

    def stop(self) -> None:
        """Let it send no more requests. Those under way are still answered."""
        self._stdin.close()


@contextlib.contextmanager
def generating(plan: LoadPlan) -> Iterator[GeneratorProcess]:
    """Start the generator, and end it with the block. Raises StartupError."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mlops.load.generator"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        try:
            yield GeneratorProcess(process, plan)
        finally:
            process.kill()


def run(plan: LoadPlan, follow: Callable[[SentRequest], None] | None = None) -> LoadRun:
    """Send all requests of ``plan``, until the last is answered or Ctrl-C. Raises StartupError."""
    requests: list[SentRequest] = []
    with generating(plan) as generator:
        try:
            for request in generator.requests():
                requests.append(request)
                if follow:
                    follow(request)
        except KeyboardInterrupt:
            if not requests:
                raise
    if not requests:
        raise StartupError(
            "The load generator ended before any answer came; correct what it says above."
        )
    return LoadRun(requests, generator.cpu)


def _request(
    stage: int, kind: str, due: str, waited: str, latency: str, status: str, deployment: str
) -> SentRequest:
    return SentRequest(
        stage, RequestKind(kind), float(due), float(waited), float(latency), int(status), deployment
    )
