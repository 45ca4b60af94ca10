"""What the conda file of an environment installs, as far as its text tells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mlops.check.document import Document, Key, Unreadable, read

SERVERS = ("azureml-inference-server-http", "azureml-defaults")
"""Azure ML's server, and a package of Microsoft's that needs it."""

ELSEWHERE = (
    "-r",
    "--requirement",
    "-e",
    "--editable",
    ".",
    "/",
    "git+",
    "http:",
    "https:",
    "file:",
)
"""How a line of pip begins that does not name its package."""


def packages(document: Document, key: Key) -> set[str] | None:
    """The names in the conda file that is described or named at ``key``; None where they can't all
    be told here."""
    given = document.value(*key)
    if isinstance(given, str):
        try:
            given = read(document.beside(given)).data
        except Unreadable:
            return None
    if not isinstance(given, dict):
        return None
    lines = list(_lines(given))
    if any(line.startswith(ELSEWHERE) for line in lines):
        return None
    return {re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", line)[0]).lower() for line in lines}


def _lines(conda: Mapping[str, Any]) -> Iterator[str]:
    """Of conda, without a channel, and of pip."""
    for entry in _listed(conda.get("dependencies")):
        if isinstance(entry, dict):
            yield from (str(line).strip() for line in _listed(entry.get("pip")))
        else:
            yield str(entry).rpartition("::")[2].strip()


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []
