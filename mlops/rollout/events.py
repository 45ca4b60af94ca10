"""The events of a rollout's journal, validated as they are read, since a file may hold anything."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, with_config
from pydantic_core import from_json
from typing_extensions import TypedDict

from mlops.rollout.plan import Action

Event = Mapping[str, Any]

LINE_START = b'{"at": '
"""How each line begins that a journal wrote."""

Percent = Annotated[int, Field(ge=0, le=100)]
TrafficShares = dict[str, Percent]
Time = Annotated[float, Field(ge=0, le=253_402_300_799)]
"""Seconds since 1970, up to the year 9999."""

RequestCount = Annotated[int, Field(ge=0, le=2**53)]
LatencyMs = Annotated[float, Field(ge=0, le=1e12)] | None

strict = with_config(ConfigDict(strict=True, extra="allow", allow_inf_nan=False))


class RolloutOutcome(StrEnum):
    PROMOTED = "promoted"
    HELD = "held"
    INCONCLUSIVE = "inconclusive"
    INTERRUPTED = "interrupted"
    ROLLED_BACK = "rolled back"
    STUCK = "stuck"
    OVERTAKEN = "overtaken"


@strict
class Deployments(TypedDict):
    old: str
    new: str
    unchecked: NotRequired[list[str]]


@strict
class Taken(TypedDict):
    action: Action
    percent: Percent


@strict
class SideFigures(TypedDict):
    requests: RequestCount
    failed: RequestCount
    p50_ms: LatencyMs
    p95_ms: LatencyMs
    p99_ms: LatencyMs


@strict
class Found(TypedDict):
    check: str
    standing: str
    text: str


@strict
class Started(TypedDict):
    at: Time
    event: Literal["started"]
    key: str
    run: NotRequired[str]
    endpoint: str
    plan: Deployments


@strict
class Begun(TypedDict):
    at: Time
    event: Literal["step"]
    step: Taken


@strict
class Proven(TypedDict):
    at: Time
    event: Literal["proven"]
    step: Taken


@strict
class Directed(TypedDict):
    at: Time
    event: Literal["traffic"]
    share: Percent
    live: TrafficShares
    mirror: TrafficShares


@strict
class Look(TypedDict):
    at: Time
    event: Literal["look"]
    findings: list[Found]
    new: SideFigures
    old: SideFigures


@strict
class Back(TypedDict):
    at: Time
    event: Literal["back"]
    reason: str
    outcome: RolloutOutcome
    share: Percent
    live: TrafficShares
    mirror: TrafficShares


@strict
class Trouble(TypedDict):
    at: Time
    event: Literal["trouble"]
    error: str


@strict
class Ended(TypedDict):
    at: Time
    event: Literal["ended"]
    outcome: RolloutOutcome
    reason: str
    left: list[str]


_EVENTS: TypeAdapter[Any] = TypeAdapter(
    Annotated[
        Started | Begun | Proven | Directed | Look | Back | Trouble | Ended,
        Field(discriminator="event"),
    ]
)


def read(line: bytes) -> Event | None:
    """Return the event in a line, or None if the line is empty or was cut off. Raises ValueError if
    it is something else."""
    line = line.strip(b"\0 \r")  # zeros, where a file system lost the end of a file
    if not line or _is_cut_off(line):
        return None
    event: Event = _EVENTS.validate_json(line)  # pydantic's error is a ValueError
    return event


def _is_cut_off(line: bytes) -> bool:
    """True if ``line`` may be the beginning of an event."""
    if not (line.startswith(LINE_START) or LINE_START.startswith(line)):
        return False
    try:
        from_json(line)
    except ValueError:
        # The last character may be cut off itself.
        text = codecs.getincrementaldecoder("utf-8")().decode(line)
        from_json(text, allow_partial=True)
        return True
    return False
