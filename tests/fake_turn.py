"""The turns of an event loop that runs when a test tells it to."""

import contextlib
import functools
import io
import time
from collections.abc import Iterator
from typing import Any

from azureml_scoring.admission.wait_limit import WaitLimit
from azureml_scoring.http.backlog import Backlog
from azureml_scoring.http.turn import Pending, Turn
from azureml_scoring.log import JsonLines
from azureml_scoring.request import Answer


class Loop:
    """Calls back when it is told to."""

    def __init__(self) -> None:
        self.soon: list[Any] = []

    def call_soon(self, callback: Any, *args: Any) -> None:
        self.soon.append(functools.partial(callback, *args))

    def run(self) -> None:
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()


class Transport:
    def __init__(self, done: list[str]) -> None:
        self.written: list[bytes] = []
        self.closed = False
        self.done = done

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def write(self, data: bytes) -> None:
        self.written.append(data)
        self.done.append(f"send {data.decode()}")


class Place:
    """``done``: what has been, in order; ``in_flight``: how many requests were, each time."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.done: list[str] = []
        self.in_flight: list[int] = []
        stream = io.StringIO()
        self.log, self.told = JsonLines(stream), stream.getvalue
        self.turn = Turn(self.at_once, Backlog(lambda: WaitLimit(60.0)), self.log)

    @contextlib.contextmanager
    def at_once(self, count: int, began: float) -> Iterator[None]:
        self.in_flight.append(count)
        yield

    def transport(self) -> Any:
        return Transport(self.done)

    def add(self, transport: Any, scoring: Any, ago: float = 0.0) -> None:
        started = time.perf_counter() - ago
        self.turn.add(
            Pending(transport, started, scoring, lambda answer: answer.body),
            self.loop,  # type: ignore[arg-type]
        )

    def steps(self, name: str) -> "Scoring":
        self.done.append(f"read {name}")
        return Scoring(self, name)


class Scoring:
    """The steps of a request that was read."""

    def __init__(self, place: Place, name: str = "") -> None:
        self.place, self.name = place, name

    def predict(self) -> None:
        self.place.done.append(f"predict {self.name}")

    def answer(self) -> Answer:
        return Answer(200, self.name.encode())

    def report(self) -> None:
        self.place.done.append(f"tell {self.name}")
        self.place.log.write(f"line {self.name}\n")
