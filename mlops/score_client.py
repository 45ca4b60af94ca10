"""Asks a scoring server: our own, or a managed endpoint, which hides the model's status behind a
424.

What it answers is not trusted: it has a limit and a deadline, and none of its words reaches the
terminal as they are.
"""

from __future__ import annotations

import asyncio
import email.utils
import re
import time
from collections.abc import Callable
from typing import Any

import httpx

from mlops.answer import Answer, Unusable, read
from mlops.model_status import model_status
from mlops.plain_text import one_line

TIMEOUT_S = 190
"""For the whole of an answer. A managed endpoint's own limit is 180."""

ATTEMPTS = 5
LONGEST_PAUSE_S = 60.0


ROW = re.compile(r"/input_data(?:/data)?/(\d{1,9})(?:/(\d{1,9}))?", re.ASCII)
"""The location of an error in a request that was made of a file's rows: row and column, from 0."""


class ScoreRefused(Exception):
    """There are no predictions. The message is one sentence that says why, and what to do.

    ``code``: the error's code; ``row``, ``column``: its place in the request; None where the server
    does not name it.
    """

    def __init__(
        self,
        message: str,
        code: str | None = None,
        row: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.row = row
        self.column = column


def headers_of(secret: str | None, deployment: str | None) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if secret:
        headers["Authorization"] = f"Bearer {secret}"
    if deployment:
        headers["azureml-model-deployment"] = deployment
    return headers


class ScoreClient:
    """``secret``: a key or a token. ``deployment``: the one to ask, in place of whichever the
    traffic chooses. ``attempts``: where no model has worked on a request."""

    def __init__(
        self,
        url: str,
        secret: str | None = None,
        deployment: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        attempts: int = ATTEMPTS,
    ) -> None:
        headers = headers_of(secret, deployment) | {"Accept-Encoding": "gzip"}
        self._http = httpx.AsyncClient(headers=headers, timeout=TIMEOUT_S)
        self._loop = asyncio.Runner()
        self._url = url
        self._sleep = sleep
        self._attempts = attempts

    def __enter__(self) -> ScoreClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run(self._http.aclose())
        self._loop.close()

    def score(
        self,
        body: bytes,
        rows: int | None = None,
        place: Callable[[int], str | None] = lambda row: None,
    ) -> list[Any]:
        """Return the predictions, one for each row.

        ``rows``: how many rows there are; None where only the server knows. ``place``: row of the
        body, from 0 -> the words by which errors name it, or None.

        Asks again only where no model has worked on the request: 429, 503 and a connection that was
        refused. Raises ScoreRefused.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                answer = self._loop.run(self._ask(body))
            except (httpx.RequestError, TimeoutError, Unusable) as error:
                if not _refused(error) or attempt == self._attempts:
                    raise ScoreRefused(_no_answer(self._url, error)) from error
                self._sleep(2.0 ** (attempt - 1))
                continue
            status = model_status(answer.status, answer.headers)
            if status == 200:
                return _predictions(self._url, answer.document, rows)
            pause = _pause(answer, attempt)
            if status not in (429, 503) or attempt == self._attempts or pause > LONGEST_PAUSE_S:
                document = answer.document
                if isinstance(document, dict) and isinstance(document.get("error"), str):
                    raise refusal_of(document, status, place)
                raise ScoreRefused(f"{self._url} answered {status}; {_advice(status)}")
            self._sleep(pause)

    async def _ask(self, body: bytes) -> Answer:
        """Raises httpx.RequestError, TimeoutError, Unusable."""
        # httpx's own timeout starts again with each piece that is read.
        async with (
            asyncio.timeout(TIMEOUT_S),
            self._http.stream("POST", self._url, content=body) as response,
        ):
            return await read(response)


def _predictions(url: str, document: Any, rows: int | None) -> list[Any]:
    """Raises ScoreRefused."""
    if isinstance(document, dict) and isinstance(document.get("error"), str):
        raise ScoreRefused(f"{url} answered 200 with an error: {one_line(document['error'])}")
    predictions = document.get("predictions") if isinstance(document, dict) else document
    if not isinstance(predictions, list):
        raise ScoreRefused(
            f"{url} answered without a list of predictions in JSON; is it a scoring URL?"
        )
    if not predictions or len(predictions) != (rows or len(predictions)):
        asked = f" to {rows} rows" if rows else ""
        raise ScoreRefused(
            f"{url} answered {len(predictions)} predictions{asked}, so none can be told to belong "
            "to its row; correct the server."
        )
    return predictions


def refusal_of(
    document: dict[str, Any], status: int, place: Callable[[int], str | None]
) -> ScoreRefused:
    """Make an exception of an error. ``document``: the service's answer. ``place``: as in
    ``ScoreClient.score``."""
    error, code, location = (_text(document, key) for key in ("error", "code", "location"))
    found = ROW.fullmatch(location or "")
    row, column = (
        (None if part is None else int(part) for part in found.groups()) if found else (None, None)
    )
    words = None if row is None else place(row)
    places = [str(status), code, f"in {words}" if words else None]
    if location is not None and words is None:
        places.append(f"at {location or '/'}")
    return ScoreRefused(f"{error} ({' '.join(filter(None, places))})", code, row, column)


def _text(document: dict[str, Any], key: str) -> str | None:
    found = document.get(key)
    return one_line(found) if isinstance(found, str) else None


def _advice(status: int) -> str:
    if 300 <= status < 400:
        return "it sends to another address, which is not followed; give that one if you trust it."
    if status in (401, 403):
        return "check the key or the token."
    if status == 404:
        return "check the address, and that a deployment takes traffic."
    if status in (408, 504):
        return "send fewer rows at once, or give the model more time."
    if status in (429, 503):
        return "it is busy; try again later."
    return "its log says more."


def _pause(answer: Answer, attempt: int) -> float:
    """Seconds, by ``Retry-After`` or doubling from one."""
    said = answer.headers.get("Retry-After", "")
    if re.fullmatch(r"\d{1,9}", said, re.ASCII):
        return float(said)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(said[:40]).timestamp() - time.time())
    except (ValueError, TypeError, IndexError, OverflowError):
        return 2.0 ** (attempt - 1)


def _refused(error: BaseException | None) -> bool:
    """Whether the connection was, to one of the addresses that the host has."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(_refused, error.exceptions))
    return error is not None and (
        isinstance(error, ConnectionRefusedError) or _refused(error.__cause__ or error.__context__)
    )


def _no_answer(url: str, error: Exception) -> str:
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return f"{url} has not answered within {TIMEOUT_S} s; send fewer rows at once."
    if isinstance(error, Unusable):
        return f"{url} answered {error}; is it a scoring URL?"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return f"The certificate of {url} is not trusted; name the authority's file in SSL_CERT_FILE if you trust it."
    return f"{url} can't be reached ({one_line(str(error))}); check the address and that the server runs."
