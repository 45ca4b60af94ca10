"""What goes in and out of the service: a request, its answer, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from azureml_scoring.body_budget import Held
from azureml_scoring.errors import ScoringError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.shared.measures import STAGES

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class CacheState(StrEnum):
    """``metadata.cache``: nothing was computed; something was; the cache was not asked; there is
    none."""

    HIT, MISS, BYPASS, OFF = "hit", "miss", "bypass", "off"


@dataclass(frozen=True, slots=True)
class Directive:
    """What the client's Cache-Control allows."""

    look_up: bool = True
    store: bool = True


ANYTHING = Directive()


class Request(NamedTuple):
    """``read()`` gives the decompressed body, at most as long as the limit, or raises ClientError.

    The ids are of characters that JSON takes as they are, which ``http_request`` sees to. ``due``:
    when the answer is, where the request has been admitted already. ``at_once``: nothing may wait
    here. ``traceparent``: the caller's, where it is valid; ``trace`` is the id in it, or a new one.
    ``held``: what its body takes of the budget; None where it is small.
    """

    request_id: str
    trace: str
    read: Callable[[], bytes]
    client_request_id: str | None = None
    cache: Directive = ANYTHING
    due: float | None = None
    at_once: bool = False
    traceparent: str | None = None
    held: Held | None = None

    def refused(self, error: ScoringError) -> Request:
        """The same, turned down before its body was read."""

        def read() -> bytes:
            raise error

        return self._replace(read=read, due=0.0)


class MustWait(Exception):
    """A request that was to be answered at once is one for a thread that may wait; nothing has
    become of it yet."""


class Answer(NamedTuple):
    """To a request for scores ``body`` is valid JSON, whatever happened."""

    status: int
    body: bytes
    headers: Mapping[str, str] = NO_HEADERS
    content_type: str = "application/json"


@dataclass(slots=True)
class Outcome:
    """What became of a request, for the hooks.

    ``error`` is None where it was answered with ``predictions``, in JSON; ``non_finite`` counts the
    NaN and infinities among them. ``batch`` is None where the request was not valid. ``seconds``:
    by stage, as measures.py has them.
    """

    request_id: str
    client_request_id: str | None
    trace: str
    status: int = 200
    duration_ms: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    rows: int = 0
    non_finite: int = 0
    cache: CacheState = CacheState.OFF
    model_name: str | None = None
    model_version: str | None = None
    error: ScoringError | None = None
    batch: Batch | None = None
    predictions: bytes = b""
    traceparent: str | None = None
    timestamp: str = ""
    seconds: list[float] = field(default_factory=lambda: [0.0] * len(STAGES))


Hook = Callable[[Outcome], None]
