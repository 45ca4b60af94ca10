"""A request that a model answers, ready to paste."""

from __future__ import annotations

import shlex
from typing import Any

import orjson

import artifact
from model import load
from settings import Settings


def example(settings: Settings) -> dict[str, Any]:
    """Two rows. Raises StartupError."""
    return {"data": rows(settings)[:2]}


def rows(settings: Settings) -> list[list[Any]]:
    """The golden rows of a packaged model, else one that it has answered. Raises StartupError."""
    packaged = artifact.find(settings).manifest
    return packaged.golden_rows if packaged else list(load(settings).example)


def curl(body: dict[str, Any], url: str) -> str:
    """``url``: of the server, or of its /score."""
    score = url.rstrip("/").removesuffix("/score") + "/score"
    return (
        f"curl {shlex.quote(score)} -H 'Content-Type: application/json' -d {shlex.quote(orjson.dumps(body).decode())}"
    )
