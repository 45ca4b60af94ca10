"""What a file refers to: a registered asset, or files beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlops.check.document import Document, Unreadable, read

REMOTE = re.compile(r"(azureml:|azureml://|runs:/|https?://|wasbs?://|abfss?://)")
"""What only Azure can look up."""


def is_remote(reference: str) -> bool:
    return REMOTE.match(reference) is not None


def asset(document: Document, key: str) -> tuple[Path, Mapping[str, Any]] | None:
    """The asset at ``key`` and the folder that its paths start from; None where it is registered, or can't be read."""
    given = document.value(key)
    if isinstance(given, dict):
        return document.path.parent, given
    if isinstance(given, str) and given.startswith("file:"):
        path = document.beside(given.removeprefix("file:"))
        try:
            return path.parent, read(path).data
        except Unreadable:
            return None
    return None


def serves_itself(document: Document) -> bool:
    """Whether the deployment's environment is an image with a server of its own, by its ``inference_config``."""
    environment = asset(document, "environment")
    return environment is not None and "inference_config" in environment[1]
