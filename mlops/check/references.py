"""Resolves what a file refers to: a registered asset, or files beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mlops.check.document import Document, Key, UnreadableDocument, read

REMOTE = re.compile(r"(azureml:|azureml://|runs:/|https?://|wasbs?://|abfss?://)")
"""Beginnings of references that only Azure can look up."""


def is_remote(reference: str) -> bool:
    return REMOTE.match(reference) is not None


def described(document: Document, key: str) -> tuple[Document, Key] | None:
    """Return the document and key that describe the asset at ``key``, or None if there are none.

    They are there, in the file that it names, or, for a registered asset, in a file beside this one
    with the asset's name.
    """
    value = document.value(key)
    if isinstance(value, dict):
        return document, (key,)
    if not isinstance(value, str):
        return None
    if value.startswith("file:"):
        try:
            return read(document.beside(value.removeprefix("file:"))), ()
        except UnreadableDocument:
            return None
    registered = re.match(r"azureml:([^/:@]+)", value)
    return _beside(document, key, registered[1]) if registered else None


def _beside(document: Document, kind: str, name: str) -> tuple[Document, Key] | None:
    for path in sorted(document.path.parent.glob("*.y*ml")):
        try:
            candidate = read(path)
        except UnreadableDocument:
            continue
        schema = str(candidate.value("$schema"))
        if candidate.value("name") == name and schema.endswith(f"/{kind}.schema.json"):
            return candidate, ()
    return None


def asset(document: Document, key: str) -> Mapping[str, Any] | None:
    """Return the description of the asset at ``key``, or None if there is none here."""
    if (place := described(document, key)) is None:
        return None
    source, at = place
    description: Mapping[str, Any] = source.value(*at)
    return description


def serves_itself(document: Document) -> bool:
    """True if the deployment's environment is an image with its own server.

    Its ``inference_config`` says so. A registered environment that is not described here must be
    one if there is no script.
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
    """Return the model's type, or None if only Azure knows it."""
    model = asset(document, "model")
    return model and model.get("type", "custom_model")
