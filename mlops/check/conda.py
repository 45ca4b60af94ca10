"""Reads which packages the conda file of an environment names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mlops.check.document import Document, Key, UnreadableDocument, read

SERVERS = ("azureml-inference-server-http", "azureml-defaults")
"""Azure ML's server, and a package of Microsoft's that needs it."""

UNNAMED_SOURCES = (
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
"""Beginnings of pip's lines that do not name a package."""


def packages(document: Document, key: Key) -> set[str] | None:
    """Return the names of all packages in the conda file at ``key``, or None if some are unknown.

    The file is described at ``key``, or named there.
    """
    conda = document.value(*key)
    if isinstance(conda, str):
        try:
            conda = read(document.beside(conda)).data
        except UnreadableDocument:
            return None
    if not isinstance(conda, dict):
        return None
    lines = list(_lines(conda))
    if any(line.startswith(UNNAMED_SOURCES) for line in lines):
        return None
    return {re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", line)[0]).lower() for line in lines}


def _lines(conda: Mapping[str, Any]) -> Iterator[str]:
    """Yield the requirements of conda, without their channels, and those of pip."""
    for entry in _as_list(conda.get("dependencies")):
        if isinstance(entry, dict):
            yield from (str(line).strip() for line in _as_list(entry.get("pip")))
        else:
            yield str(entry).rpartition("::")[2].strip()


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
