"""Reads predictions or the error out of an answer of the service, of a managed endpoint or of
MLflow's server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from azureml_scoring.client.answer import HttpAnswer
from azureml_scoring.client.errors import Details, ScoreError, UnusableAnswer, error_class

MAX_MESSAGE_CHARACTERS = 2000


def predictions_of(url: str, answer: HttpAnswer, rows: int | None) -> list[Any]:
    """Return the list of predictions in a 200. Raises UnusableAnswer.

    rows: how many there must be, or None if only the server knows.
    """
    document = answer.document
    if isinstance(document, dict) and isinstance(document.get("error"), str):
        raise UnusableAnswer(
            f"{url} answered 200 with an error: {document['error'][:MAX_MESSAGE_CHARACTERS]}"
        )
    predictions = document.get("predictions") if isinstance(document, dict) else document
    if not isinstance(predictions, list):
        raise UnusableAnswer(
            f"{url} answered without a list of predictions in JSON; is it a scoring URL?"
        )
    if not predictions or len(predictions) != (rows or len(predictions)):
        expected = f" for {rows} rows" if rows else ""
        raise UnusableAnswer(
            f"{url} answered {len(predictions)} predictions{expected}, so they can't be matched "
            "to rows; correct the server."
        )
    return predictions


def error_of(url: str, answer: HttpAnswer) -> ScoreError:
    """Return the error that an answer with another status than 200 stands for."""
    document = answer.document if isinstance(answer.document, dict) else {}
    details = Details(
        _text(document, "code"),
        answer.status,
        _text(document, "location"),
        answer.headers.get("x-request-id"),
    )
    message = _message(document) or f"{url} gives no reason; {_advice(answer.status)}"
    return error_class(answer.status)(message, details.placed())


def _message(document: Mapping[str, Any]) -> str | None:
    """Return the service's ``error``, Azure's ``error.message`` or MLflow's ``message``."""
    if isinstance(document.get("error"), dict):
        return _text(document["error"], "message")
    return _text(document, "error") or _text(document, "message")


def _text(document: Mapping[str, Any], key: str) -> str | None:
    value = document.get(key)
    return value[:MAX_MESSAGE_CHARACTERS] if isinstance(value, str) else None


def _advice(status: int) -> str:
    if 300 <= status < 400:
        return "it redirects, which is not followed; give the new address if you trust it."
    if status in (401, 403):
        return "check the key or the token."
    if status == 404:
        return "check the address, and that a deployment receives traffic."
    if status in (408, 504):
        return "send fewer rows at once, or give the model more time."
    if status in (429, 503):
        return "it is busy; try again later."
    return "its log says more."
