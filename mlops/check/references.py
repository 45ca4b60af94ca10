"""What a file refers to: a registered asset, or files beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mlops.check.document import Document, Key, Unreadable, read

REMOTE = re.compile(r"(azureml:|azureml://|runs:/|https?://|wasbs?://|abfss?://)")
"""What only Azure can look up."""


def is_remote(reference: str) -> bool:
    return REMOTE.match(reference) is not None


def described(document: Document, key: str) -> tuple[Document, Key] | None:
    """Where the asset at ``key`` is described: there, in the file that it names, or for a
    registered one in a file of its name beside this one. None where it is described nowhere here,
    or can't be read."""
    given = document.value(key)
    if isinstance(given, dict):
        return document, (key,)
    if not isinstance(given, str):
        return None
    if given.startswith("file:"):
        try:
            return read(document.beside(given.removeprefix("file:"))), ()
        except Unreadable:
            return None
    registered = re.match(r"azureml:([^/:@]+)", given)
    return _beside(document, key, registered[1]) if registered else None


def _beside(document: Document, kind: str, name: str) -> tuple[Document, Key] | None:
    for path in sorted(document.path.parent.glob("*.y*ml")):
        try:
            found = read(path)
        except Unreadable:
            continue
        if found.value("name") == name and str(found.value("$schema")).endswith(
            f"/{kind}.schema.json"
        ):
            return found, ()
    return None


def asset(document: Document, key: str) -> Mapping[str, Any] | None:
    """What is described at ``key``, as ``described`` finds it."""
    if (found := described(document, key)) is None:
        return None
    place, at = found
    given: Mapping[str, Any] = place.value(*at)
    return given


def serves_itself(document: Document) -> bool:
    """Whether the deployment's environment is an image with a server of its own.

    Its ``inference_config`` says so. A registered one that is described nowhere here must be one if
    there is no script.
    """
    environment = asset(document, "environment")
    if environment is None:
        return (
            is_remote(str(document.value("environment")))
            and document.value("code_configuration") is None
        )
    return "inference_config" in environment


def is_mlflow(document: Document) -> bool:
    return _model_type(document) == "mlflow_model"


def is_custom(document: Document) -> bool:
    return _model_type(document) == "custom_model"


def _model_type(document: Document) -> object:
    """None where it is known to Azure only."""
    found = asset(document, "model")
    return found and found.get("type", "custom_model")
