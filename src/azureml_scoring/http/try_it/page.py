"""``/docs``: the page, put together from its source files. Off by default (SCORING_DOCS_PAGE).

A column's name or category may hold anything. The script gets them as JSON, in a block that no text
can end, and shows them as text.
"""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Protocol

import orjson

from azureml_scoring.http.try_it.model_facts import model_facts
from azureml_scoring.models.model import Model
from azureml_scoring.request import Answer
from azureml_scoring.signals import inline_page

FOLDER = Path(__file__).parent
SCRIPTS = ("dom.js", "tabs.js", "fields.js", "bodies.js", "snippets.js", "answer.js", "main.js")
"""In the order in which they use each other."""

LOADING = Answer(
    HTTPStatus.SERVICE_UNAVAILABLE,
    b"The model is still loading; this page comes back by itself.\n",
    {"Retry-After": "2", "Refresh": "2", "Cache-Control": "no-store"},
    "text/plain; charset=utf-8",
)


class Source(Protocol):
    """The source of the model, which may still be loading."""

    @property
    def loaded(self) -> Model | None: ...


class TryItPage:
    """Answers ``/docs``."""

    def __init__(self, source: Source) -> None:
        self._source = source
        html = _text("page.html").replace("@STYLE@", _text("page.css"))
        html = html.replace("@SCRIPT@", "\n".join(map(_text, SCRIPTS)))
        self._headers = inline_page.headers(html)
        self._before, self._after = html.split("@MODEL@")

    def __call__(self) -> Answer:
        model = self._source.loaded
        if model is None:
            return LOADING
        facts = orjson.dumps(model_facts(model)).decode().replace("<", r"\u003c")
        body = f"{self._before}{facts}{self._after}"
        return Answer(HTTPStatus.OK, body.encode(), self._headers, "text/html; charset=utf-8")


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
