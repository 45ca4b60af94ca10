"""Asks a scoring server: our own, or a managed endpoint, which hides the model's status behind a 424."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Callable
from typing import Any

import httpx
import orjson

from mlops.model_status import model_status

TIMEOUT_S = 190
"""A managed endpoint's own limit is 180."""

ATTEMPTS = 5
LONGEST_PAUSE_S = 60.0


class ScoreRefused(Exception):
    """No predictions. The message is one sentence that says why, and what to do."""


def headers_of(secret: str | None, deployment: str | None) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if secret:
        headers["Authorization"] = f"Bearer {secret}"
    if deployment:
        headers["azureml-model-deployment"] = deployment
    return headers


class ScoreClient:
    """``secret``: a key or a token. ``deployment``: the one to ask, in place of whichever the traffic chooses.
    ``attempts``: where no model has worked on a request."""

    def __init__(
        self,
        url: str,
        secret: str | None = None,
        deployment: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._http = httpx.Client(headers=headers_of(secret, deployment), timeout=TIMEOUT_S)
        self._url = url
        self._sleep = sleep
        self._attempts = attempts

    def __enter__(self) -> ScoreClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def score(self, body: bytes, first_row: int | None = None) -> list[Any]:
        """The predictions, one for each row. ``first_row``: the number of the first, by which errors name theirs.

        Asks again only where no model has worked on the request: 429, 503 and a connection that was refused. Raises
        ScoreRefused.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                response = self._http.post(self._url, content=body)
            except httpx.RequestError as error:
                if not _refused(error) or attempt == self._attempts:
                    raise ScoreRefused(_unreachable(self._url, error)) from error
                self._sleep(2.0 ** (attempt - 1))
                continue
            status = model_status(response.status_code, response.headers)
            if status == 200:
                return _predictions(response)
            pause = _pause(response, attempt)
            if status not in (429, 503) or attempt == self._attempts or pause > LONGEST_PAUSE_S:
                raise ScoreRefused(_refusal(response, status, first_row))
            self._sleep(pause)


def _predictions(response: httpx.Response) -> list[Any]:
    try:
        answer = orjson.loads(response.content)
    except ValueError:
        raise ScoreRefused(f"{response.url} answered something that is not JSON; is it a scoring URL?") from None
    if isinstance(answer, dict) and "predictions" in answer:
        answer = answer["predictions"]
    return answer if isinstance(answer, list) else [answer]


def _refusal(response: httpx.Response, status: int, first_row: int | None) -> str:
    try:
        document = orjson.loads(response.content)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("error"), str):
        return f"{response.url} answered {status}; {_advice(status)}"
    location = document.get("location")
    row = re.match(r"/input_data(?:/data)?/(\d+)", str(location))
    places = [str(status), str(document.get("code", ""))]
    if location is not None:
        places.append(f"at {location or '/'}")
    if row and first_row is not None:
        places.append(f"in row {first_row + int(row[1])}")
    return f"{document['error']} ({' '.join(filter(None, places))})"


def _advice(status: int) -> str:
    if status in (401, 403):
        return "check the key or the token."
    if status == 404:
        return "check the address, and that a deployment takes traffic."
    if status in (408, 504):
        return "send fewer rows at once, or give the model more time."
    if status in (429, 503):
        return "it is busy; try again later."
    return "its log says more."


def _pause(response: httpx.Response, attempt: int) -> float:
    """Seconds, by ``Retry-After`` or doubling from one."""
    said = response.headers.get("Retry-After", "")
    if said.isdigit():
        return float(said)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    except ValueError:
        return 2.0 ** (attempt - 1)


def _refused(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ConnectionRefusedError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _unreachable(url: str, error: httpx.RequestError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return f"{url} has not answered within {TIMEOUT_S} s; send fewer rows at once."
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return f"The certificate of {url} is not trusted; name the authority's file in SSL_CERT_FILE if you trust it."
    return f"{url} can't be reached ({error}); check the address and that the server runs."
