"""A client of scoring servers: our own, or a managed endpoint, which replaces the model's status by
424.

The server is not trusted: its answer has a limit and a deadline, and its text is made safe before
it reaches the terminal.
"""

from __future__ import annotations

import asyncio
import email.utils
import re
import time
from collections.abc import Callable
from typing import Any

import httpx

from mlops.answer import HttpAnswer, UnusableAnswer, read
from mlops.endpoint import DEPLOYMENT_HEADER
from mlops.model_status import model_status
from mlops.plain_text import one_line
from mlops.score_refused import ScoreRefused, refusal_of

TIMEOUT_S = 190
"""Limit for a whole answer. A managed endpoint's own limit is 180 s."""

MAX_ATTEMPTS = 5
MAX_PAUSE_S = 60.0


def headers_of(secret: str | None, deployment: str | None) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if secret:
        headers["Authorization"] = f"Bearer {secret}"
    if deployment:
        headers[DEPLOYMENT_HEADER] = deployment
    return headers


class ScoreClient:
    """Scores rows on one server.

    ``secret``: a key or a token. ``deployment``: the deployment to use instead of the one that the
    traffic split chooses. ``attempts``: how often a request is sent that no model has worked on.
    """

    def __init__(
        self,
        url: str,
        secret: str | None = None,
        deployment: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        attempts: int = MAX_ATTEMPTS,
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
        """Return the predictions, one for each row. Raises ScoreRefused.

        ``rows``: the number of rows, or None if only the server knows it. ``place``: takes a row of
        the body, from 0, and returns the words by which errors name it, or None.

        Retries only if no model has worked on the request: after 429, 503 and a refused connection.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                answer = self._loop.run(self._post(body))
            except (httpx.RequestError, TimeoutError, UnusableAnswer) as error:
                if not _refused(error) or attempt == self._attempts:
                    raise ScoreRefused(_no_answer(self._url, error)) from error
                self._sleep(2.0 ** (attempt - 1))
                continue
            status = model_status(answer.status, answer.headers)
            if status == 200:
                return _predictions(self._url, answer.document, rows)
            pause = _pause(answer, attempt)
            if status not in (429, 503) or attempt == self._attempts or pause > MAX_PAUSE_S:
                document = answer.document
                if isinstance(document, dict) and isinstance(document.get("error"), str):
                    raise refusal_of(document, status, place)
                raise ScoreRefused(f"{self._url} answered {status}; {_advice(status)}")
            self._sleep(pause)

    async def _post(self, body: bytes) -> HttpAnswer:
        """Send the request. Raises httpx.RequestError, TimeoutError and UnusableAnswer."""
        # httpx's own timeout starts anew with each piece that is read.
        async with (
            asyncio.timeout(TIMEOUT_S),
            self._http.stream("POST", self._url, content=body) as response,
        ):
            return await read(response)


def _predictions(url: str, document: Any, rows: int | None) -> list[Any]:
    """Return the list of predictions in a 200. Raises ScoreRefused."""
    if isinstance(document, dict) and isinstance(document.get("error"), str):
        raise ScoreRefused(f"{url} answered 200 with an error: {one_line(document['error'])}")
    predictions = document.get("predictions") if isinstance(document, dict) else document
    if not isinstance(predictions, list):
        raise ScoreRefused(
            f"{url} answered without a list of predictions in JSON; is it a scoring URL?"
        )
    if not predictions or len(predictions) != (rows or len(predictions)):
        expected = f" for {rows} rows" if rows else ""
        raise ScoreRefused(
            f"{url} answered {len(predictions)} predictions{expected}, so they can't be matched "
            "to rows; correct the server."
        )
    return predictions


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


def _pause(answer: HttpAnswer, attempt: int) -> float:
    """Return the seconds to wait: those of ``retry-after-ms`` or ``Retry-After``, or else 1, 2, 4,
    ..."""
    exact = answer.headers.get("retry-after-ms", "")
    if re.fullmatch(r"\d{1,9}", exact, re.ASCII):
        return int(exact) / 1000
    retry_after = answer.headers.get("Retry-After", "")
    if re.fullmatch(r"\d{1,9}", retry_after, re.ASCII):
        return float(retry_after)
    try:
        until = email.utils.parsedate_to_datetime(retry_after[:40])
        return max(0.0, until.timestamp() - time.time())
    except (ValueError, TypeError, IndexError, OverflowError):
        return 2.0 ** (attempt - 1)


def _refused(error: BaseException | None) -> bool:
    """True if one of the host's addresses refused the connection."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(_refused, error.exceptions))
    return error is not None and (
        isinstance(error, ConnectionRefusedError) or _refused(error.__cause__ or error.__context__)
    )


def _no_answer(url: str, error: Exception) -> str:
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return f"{url} has not answered within {TIMEOUT_S} s; send fewer rows at once."
    if isinstance(error, UnusableAnswer):
        return f"{url} answered {error}; is it a scoring URL?"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return (
            f"The certificate of {url} is not trusted; if you trust its authority, name the "
            "authority's file in SSL_CERT_FILE."
        )
    return (
        f"{url} can't be reached ({one_line(str(error))}); check the address and that the "
        "server runs."
    )
