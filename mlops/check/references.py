"""What a file refers to: a registered asset, or files beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mlops.check.document import Document, Unreadable, read

REMOTE = re.compile(r"(azureml:|azureml://|runs:/|https?://|wasbs?://|abfss?://)")
"""What only Azure can look up."""


def is_remote(reference: str) -> bool:
    return REMOTE.match(reference) is not None


def asset(document: Document, key: str) -> Mapping[str, Any] | None:
    """What is described at ``key``, or in the file that it names; None where it is registered, or can't be read."""
    given = document.value(key)
    if isinstance(given, str) and given.startswith("file:"):
        try:
            return read(document.beside(given.removeprefix("file:"))).data
        except Unreadable:
            return None
    return given if isinstance(given, dict) else None


def serves_itself(document: Document) -> bool:
    """Whether the deployment's environment is an image with a server of its own.

    Its ``inference_config`` says so. A registered one can't be looked up here; without a script it must be one.
    """
    environment = asset(document, "environment")
    if environment is None:
        return is_remote(str(document.value("environment"))) and document.value("code_configuration") is None
    return "inference_config" in environment
