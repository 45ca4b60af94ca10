"""The events of a rollout's journal: their shapes, held to when they are read, for a file may hold
anything."""

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

BEGIN = b'{"at": '
"""Of each line that was written."""

Percent = Annotated[int, Field(ge=0, le=100)]
Shares = dict[str, Percent]
Time = Annotated[float, Field(ge=0, le=253_402_300_799)]
"""Seconds since 1970, up to the year 9999."""

Count = Annotated[int, Field(ge=0, le=2**53)]
Milliseconds = Annotated[float, Field(ge=0, le=1e12)] | None

strict = with_config(ConfigDict(strict=True, extra="allow", allow_inf_nan=False))


class RolloutOutcome(StrEnum):
    PROMOTED = "promoted"
    HELD = "held"
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
    requests: Count
    failed: Count
    p50_ms: Milliseconds
    p95_ms: Milliseconds
    p99_ms: Milliseconds


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
    both_live: tuple[Time, Time] | None


@strict
class Directed(TypedDict):
    at: Time
    event: Literal["traffic"]
    share: Percent
    live: Shares
    mirror: Shares


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
    live: Shares
    mirror: Shares


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
    """None where nothing was written, or the writing was cut off. Raises ValueError where it is no
    event."""
    line = line.strip(b"\0 \r")  # zeros, where a file system lost the end of a file
    if not line or _is_cut_off(line):
        return None
    found: Event = _EVENTS.validate_json(line)  # pydantic's error is a ValueError
    return found


def _is_cut_off(line: bytes) -> bool:
    """Whether more bytes could have made an event of it."""
    if not (line.startswith(BEGIN) or BEGIN.startswith(line)):
        return False
    try:
        from_json(line)
    except ValueError:
        whole = codecs.getincrementaldecoder("utf-8")().decode(
            line
        )  # without a sign that is cut off itself
        from_json(whole, allow_partial=True)
        return True
    return False
