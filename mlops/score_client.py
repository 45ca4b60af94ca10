"""A client of an online endpoint: tells the model's own status behind a 424, and asks again only where that is safe."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import requests

STATUS = "ms-azureml-model-error-statuscode"
DEPLOYMENT = "azureml-model-deployment"
ATTEMPTS = 5
LONGEST_WAIT_S = 60.0
TRY_AGAIN = {429, 503}
"""Turned down before anything was computed. After any other status asking again brings the same, or makes it worse."""


class Refused(Exception):
    """The endpoint gave no predictions; the message is a sentence for the user."""


@dataclass(frozen=True)
class Client:
    """``key``: sent as a bearer token, never shown; ``deployment``: asked in place of what the traffic chooses."""

    url: str
    key: str | None = None
    deployment: str | None = None
    timeout_s: float = 180
    sleep: Callable[[float], None] = time.sleep

    def predictions(self, document: Any) -> list[Any]:
        """For ``document``, in any form that /score takes. Raises Refused."""
        for attempt in range(1, ATTEMPTS + 1):
            response = self._ask(orjson.dumps(document))
            status = int(response.headers.get(STATUS) or response.status_code)
            if status == 200:
                return _predictions(response)
            if status not in TRY_AGAIN or attempt == ATTEMPTS:
                break
            self.sleep(_wait(response, attempt))
        raise Refused(_told(status, response))

    def _ask(self, body: bytes) -> requests.Response:
        headers = {"Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {self.key}"} if self.key else {}
        headers |= {DEPLOYMENT: self.deployment} if self.deployment else {}
        try:
            # A redirect would carry the key elsewhere.
            return requests.post(self.url, body, headers=headers, timeout=self.timeout_s, allow_redirects=False)
        except requests.exceptions.SSLError:
            raise Refused(f"The certificate of {self.url} is not to be trusted; check the address.") from None
        except requests.exceptions.Timeout:
            raise Refused(f"{self.url} did not answer within {self.timeout_s:g} seconds.") from None
        except requests.RequestException as error:
            raise Refused(f"{self.url} is not to be reached ({type(error).__name__}); check the address.") from None


def _predictions(response: requests.Response) -> list[Any]:
    try:
        found: list[Any] = orjson.loads(response.content)["predictions"]
    except (ValueError, KeyError, TypeError):
        raise Refused("The answer holds no predictions; is the address that of /score?") from None
    return found


def _wait(response: requests.Response, attempt: int) -> float:
    """Seconds: as told, else twice as long each time."""
    told = response.headers.get("Retry-After", "")
    return min(float(told) if told.isdecimal() else 2.0 ** (attempt - 1), LONGEST_WAIT_S)


def _told(status: int, response: requests.Response) -> str:
    """Ours is the service's own error format; others have told what they could by their status."""
    hidden = " behind a 424" if response.status_code == 424 else ""
    try:
        error = orjson.loads(response.content)
        place = f" at {error['location']}" if error.get("location") else ""
        return f"{status} {error['code']}{place}{hidden}: {error['error']}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{status}{hidden}: {HINTS.get(status, response.reason or 'no reason given')}"


HINTS = {
    401: "the key is missing or wrong; name the variable that holds it by --key-env",
    403: "this identity may not score; it needs the role Azure Machine Learning Data Scientist",
    404: "there is nothing at this address, no such deployment, or none has traffic",
    408: "the model took longer than the endpoint's request_timeout_ms",
    429: "the endpoint is over its limits, also after several tries",
    502: "the deployment does not answer; its logs tell why",
}
