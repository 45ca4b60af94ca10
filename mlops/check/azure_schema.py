"""What azure-ai-ml says when it loads a file, as ``az ml`` would, with each complaint at its
key."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from azureml_scoring.errors import StartupError
from mlops import extras
from mlops.check.document import Document, Key, Problem
from mlops.check.kind import DEPLOYMENTS, ENDPOINTS, Kind

REMEDIES = {
    "Unknown field.": "remove it or correct its spelling",
    "Missing data for required field.": "add it",
    "Not a valid integer.": "write a whole number",
    "Not a valid string.": "write text",
    "Not a valid boolean.": "write true or false",
    "Not a valid mapping type.": "write `key: value` lines below it",
}

OTHER_FORM = "In order to specify an existing"
"""How it starts to explain the reference that could stand where an asset is described."""


def problems(document: Document, kind: Kind) -> Iterator[Problem]:
    """All of the first stage that has any: azure-ai-ml goes no further. Raises StartupError where
    it is missing."""
    return _each(document, _complaints(document.path, kind), ())


def _complaints(path: Path, kind: Kind) -> Any:
    """A text, or lists and mappings of them as the file is nested; empty where there are none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("azure").setLevel(logging.CRITICAL)
        try:
            from azure.ai import ml
            from marshmallow import ValidationError
        except ImportError:
            raise StartupError(
                f"azure-ai-ml is not installed; run `{extras.command('deploy')}`."
            ) from None
        logging.getLogger("azure.ai.ml").setLevel(
            logging.CRITICAL
        )  # which it sets itself, when it is imported
        loaders: dict[Kind, Callable[[Path], object]] = {
            **dict.fromkeys(ENDPOINTS, ml.load_online_endpoint),
            **dict.fromkeys(DEPLOYMENTS, ml.load_online_deployment),
            Kind.ENVIRONMENT: ml.load_environment,
            Kind.MODEL: ml.load_model,
        }
        try:
            loaders[kind](path)
        except ValidationError as error:
            cause = error.__cause__ or error.__context__  # the outer one has all in one text
            return cause.messages if isinstance(cause, ValidationError) else error.messages
        except Exception as error:  # whatever a mistaken file makes of their code
            return str(error)
        return []


def _each(document: Document, messages: Any, key: Key) -> Iterator[Problem]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            yield from _each(document, inner, key if name == "_schema" else (*key, name))
    elif isinstance(messages, list):
        told = list(_flat(messages))
        plain = [message for message in told if not str(message).startswith(OTHER_FORM)] or told
        for i, message in enumerate(plain):
            if message not in plain[:i]:
                yield from _each(document, message, key)
    else:
        text = str(messages)
        if not (text.startswith(OTHER_FORM) and isinstance(document.value(*key), dict)):
            yield document.problem(
                key, f"is refused by azure-ai-ml ({text})", REMEDIES.get(text, "correct it")
            )


def _flat(messages: list[Any]) -> Iterator[Any]:
    """A list for each form that a value may have, in lists."""
    for message in messages:
        if isinstance(message, Mapping) and [*message] == ["_schema"]:
            yield from _flat(message["_schema"])
        elif isinstance(message, list):
            yield from _flat(message)
        else:
            yield message
