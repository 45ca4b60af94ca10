"""Stages of a load: ``30s@50,2m@200`` is half a minute at 50 requests a second, then two minutes at
200."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from azureml_scoring.quantities import PER_SECOND, SECONDS

UNIT_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Stage:
    """A part of a load. ``rate``: requests a second."""

    seconds: float
    rate: float

    @property
    def requests(self) -> int:
        return round(self.seconds * self.rate)

    def __str__(self) -> str:
        return f"{self.seconds:g}s@{self.rate:g}"


def parse(text: str) -> tuple[Stage, ...]:
    """Read stages. Raises ValueError, whose message says what to write."""
    return tuple(_stage(part.strip()) for part in text.split(","))


def _stage(text: str) -> Stage:
    match = re.fullmatch(r"(\S+)([smh])@(\S+)", text)
    try:
        stage = match and Stage(
            SECONDS.parse(SECONDS.parse(match[1]) * UNIT_SECONDS[match[2]]),
            PER_SECOND.parse(match[3]),
        )
    except ValueError:
        stage = None
    if not (stage and stage.requests):
        raise ValueError(
            "give stages with requests, as 30s@50,2m@200: how long, up to a day, and how many "
            f"requests a second, up to {PER_SECOND.most:,}."
        )
    return stage


def arrivals(stages: Sequence[Stage]) -> Iterator[tuple[int, float]]:
    """Yield for each request the index of its stage, and when it is due in seconds from the start.
    Requests are evenly spaced within a stage."""
    begins = 0.0
    for place, stage in enumerate(stages):
        for number in range(stage.requests):
            yield place, begins + number / stage.rate
        begins += stage.seconds
