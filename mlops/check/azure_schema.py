"""Reports what azure-ai-ml refuses when it loads a file as ``az ml`` does, at the key concerned."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from azureml_scoring.errors import StartupError
from mlops import extras
from mlops.check.document import Document, Key, Problem
from mlops.check.kind import DEPLOYMENTS, ENDPOINTS, DocumentKind

REMEDIES = {
    "Unknown field.": "remove it or correct its spelling",
    "Missing data for required field.": "add it",
    "Not a valid integer.": "write a whole number",
    "Not a valid string.": "write text",
    "Not a valid boolean.": "write true or false",
    "Not a valid mapping type.": "write `key: value` lines below it",
}

OTHER_FORM = "In order to specify an existing"
"""Start of its message about the reference that may replace the description of an asset."""


def problems(document: Document, kind: DocumentKind) -> Iterator[Problem]:
    """Yield the problems of the first stage that has any: azure-ai-ml stops there.

    Raises StartupError if azure-ai-ml is not installed.
    """
    return _problems(document, _messages(document.path, kind), ())


def _messages(path: Path, kind: DocumentKind) -> Any:
    """Return a text, or texts in lists and mappings nested as the file is; empty if it is valid."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("azure").setLevel(logging.CRITICAL)
        try:
            from azure.ai import ml
            from azure.ai.ml.entities._load_functions import (
                load_model_batch_deployment,
                load_schedule,
            )
            from marshmallow import ValidationError
        except ImportError:
            raise StartupError(
                f"azure-ai-ml is not installed; run `{extras.command('deploy')}`."
            ) from None
        # Importing it sets this level.
        logging.getLogger("azure.ai.ml").setLevel(logging.CRITICAL)
        loaders: dict[DocumentKind, Callable[[Path], object]] = {
            **dict.fromkeys(ENDPOINTS, ml.load_online_endpoint),
            **dict.fromkeys(DEPLOYMENTS, ml.load_online_deployment),
            DocumentKind.ENVIRONMENT: ml.load_environment,
            DocumentKind.MODEL: ml.load_model,
            # It checks the compute of a monitor only on the way to Azure.
            DocumentKind.MONITOR: lambda path: load_schedule(path)._to_rest_object(),  # type: ignore[attr-defined]
            DocumentKind.BATCH_ENDPOINT: ml.load_batch_endpoint,
            DocumentKind.BATCH_DEPLOYMENT: load_model_batch_deployment,
        }
        try:
            loaders[kind](path)
        except ValidationError as error:
            cause = error.__cause__ or error.__context__  # the outer error has only one text
            return cause.messages if isinstance(cause, ValidationError) else error.messages
        except Exception as error:  # a mistaken file may break their code anywhere
            cause = error.__context__
            while cause and not isinstance(getattr(cause, "messages", None), dict):
                cause = cause.__context__
            return cause.messages if isinstance(cause, ValidationError) else str(error)
        return []


def _problems(document: Document, messages: Any, key: Key) -> Iterator[Problem]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            yield from _problems(document, inner, key if name == "_schema" else (*key, name))
    elif isinstance(messages, list):
        flat = list(_flat(messages))
        relevant = [message for message in flat if not str(message).startswith(OTHER_FORM)] or flat
        for i, message in enumerate(relevant):
            if message not in relevant[:i]:
                yield from _problems(document, message, key)
    else:
        text = str(messages)
        if not (text.startswith(OTHER_FORM) and isinstance(document.value(*key), dict)):
            yield document.problem(
                key, f"is refused by azure-ai-ml ({text})", REMEDIES.get(text, "correct it")
            )


def _flat(messages: list[Any]) -> Iterator[Any]:
    """Flatten the lists: azure-ai-ml nests one list for each form that a value may have."""
    for message in messages:
        if isinstance(message, Mapping) and [*message] == ["_schema"]:
            yield from _flat(message["_schema"])
        elif isinstance(message, list):
            yield from _flat(message)
        else:
            yield message
