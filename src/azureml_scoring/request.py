"""The service's input and output: a request, its answer, and its outcome for the hooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from azureml_scoring.body_budget import Held
from azureml_scoring.errors import ScoringError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.media_types import JSON
from azureml_scoring.shared.measures import STAGES

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class CacheState(StrEnum):
    """The value of ``metadata.cache``.

    HIT: nothing was computed. MISS: something was. BYPASS: the cache was not used. OFF: there is
    no cache.
    """

    HIT, MISS, BYPASS, OFF = "hit", "miss", "bypass", "off"


@dataclass(frozen=True, slots=True)
class Directive:
    """The uses of the cache that the client's Cache-Control allows."""

    look_up: bool = True
    store: bool = True


ANYTHING = Directive()


Gone = Callable[[], bool]
"""Returns True once the client has closed the connection, where that can be known."""


def still_there() -> bool:
    return False


class Request(NamedTuple):
    """A request to score, free of HTTP.

    ``read()`` returns the decompressed body, at most as long as the limit, or raises ScoringError.
    ``request_id`` and ``client_request_id`` need no escaping in JSON: ``request_reader`` replaces
    others. ``traceparent``: the caller's, if it is valid; ``trace``: the id in it, or a new one.
    ``held``: what the body takes of the budget; None for a small one. ``gone``: the client has hung
    up, so the answer is not worth computing. ``media_type``: of the body; ``answer_type``: that of
    the predictions in the answer.
    """

    request_id: str
    trace: str
    read: Callable[[], bytes]
    client_request_id: str | None = None
    cache: Directive = ANYTHING
    traceparent: str | None = None
    held: Held | None = None
    gone: Gone = still_there
    media_type: str = JSON
    answer_type: str = JSON


class MustWait(Exception):
    """Only a thread that may wait can answer this request; nothing has become of it yet."""


class Answer(NamedTuple):
    """What the service answers. ``body`` is valid JSON for every request to score, except for
    predictions of another ``answer_type``."""

    status: int
    body: bytes
    headers: Mapping[str, str] = NO_HEADERS
    content_type: str = "application/json"


@dataclass(slots=True)
class Outcome:
    """What became of a request, for the hooks.

    ``error`` is None if the answer has ``predictions``, which are JSON; ``non_finite``: how many of
    them are NaN or infinite. ``batch`` is None if the request was not valid. ``seconds``: by stage,
    in the order of ``measures.STAGES``.
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
