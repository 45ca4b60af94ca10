"""A request that a model answers, ready to paste."""

from __future__ import annotations

import shlex
from typing import Any

import orjson

import artifact
from contract import Contract
from model import load, zero
from settings import Settings


def example(settings: Settings) -> dict[str, Any]:
    """Two rows. Raises StartupError."""
    return {"data": rows(settings)[:2]}


def rows(settings: Settings) -> list[list[Any]]:
    """The golden rows of a packaged model, else a row of zeros. Raises StartupError."""
    packaged = artifact.find(settings).manifest
    return packaged.golden_rows if packaged else [_zeros(load(settings).contract)]


def curl(body: dict[str, Any], url: str) -> str:
    return f"curl {url}/score -H 'Content-Type: application/json' -d {shlex.quote(orjson.dumps(body).decode())}"


def _zeros(contract: Contract) -> list[Any]:
    return [zero(feature) for feature in contract.features]
