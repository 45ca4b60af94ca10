"""Sends requests to a managed endpoint, with a key, a token of its own or one of Microsoft
Entra."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import httpx
import orjson
from azure.ai.ml import MLClient
from azure.ai.ml.entities import EndpointAuthKeys

from azureml_scoring.client import retry
from azureml_scoring.client.headers import request_headers
from azureml_scoring.client.model_status import model_status
from mlops.endpoint import EndpointAnswer, EndpointError, NotReached
from mlops.rollout.azure_calls import AzureCalls
from mlops.rollout.own_requests import own_headers

ATTEMPTS = 4


class AzureScoring:
    """Scores rows on one endpoint."""

    def __init__(
        self,
        calls: AzureCalls,
        ml: MLClient,
        http: httpx.Client,
        endpoint: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._calls = calls
        self._ml = ml
        self._http = http
        self._endpoint = endpoint
        self._sleep = sleep
        self._access: tuple[str, str] | None = None

    def score(self, body: bytes, deployment: str | None) -> EndpointAnswer:
        """Score ``body``, again where the client of the service would try again. 408, 429 and 5xx
        are answers too. Raises NotReached if there was no answer, EndpointError if none is to be
        had."""
        tries = retry.Tries(ATTEMPTS)
        while True:
            failure: httpx.RequestError | None = None
            headers: Mapping[str, str] = {}
            try:
                response = self._authorized(body, deployment)
                headers = response.headers
                status = model_status(response.status_code, headers)
                again = retry.after_status(status, _document(response), headers)
            except httpx.RequestError as error:
                again, failure = retry.after_failure(error), error
            pause = tries.pause_s(again, headers)
            if pause is None:
                break
            self._sleep(pause)
        if failure is not None:
            raise NotReached(
                f"{self._endpoint} can't be reached ({failure}); check the network and the proxy."
            ) from failure
        return EndpointAnswer(status, response.content, response.elapsed.total_seconds() * 1000)

    def _authorized(self, body: bytes, deployment: str | None) -> httpx.Response:
        """Return the answer of the deployment. Raises EndpointError if we may not ask it."""
        response = self._post(body, deployment)
        if response.status_code == 401:  # a token expires, a key may be regenerated
            self._access = None
            response = self._post(body, deployment)
        if response.status_code in (401, 403):
            raise EndpointError(
                f"{self._endpoint} does not let us score ({response.status_code}); "
                "ask for the role AzureML Data Scientist on it."
            )
        if response.status_code == 404:
            raise EndpointError(
                f"{self._endpoint} has no deployment {deployment}; deploy it first."
                if deployment
                else f"No deployment of {self._endpoint} takes traffic; set some first."
            )
        return response

    def _post(self, body: bytes, deployment: str | None) -> httpx.Response:
        self._access = self._access or self._look_up()
        url, secret = self._access
        return self._http.post(
            url, content=body, headers=request_headers(secret, deployment) | own_headers()
        )

    def _look_up(self) -> tuple[str, str]:
        endpoints, name = self._ml.online_endpoints, self._endpoint
        endpoint = self._calls.ask(f"look up endpoint {name}", lambda: endpoints.get(name))
        keys = self._calls.ask(f"get a key of {name}", lambda: endpoints.get_keys(name))
        secret = keys.primary_key if isinstance(keys, EndpointAuthKeys) else keys.access_token
        return str(endpoint.scoring_uri), str(secret)


def _document(response: httpx.Response) -> object:
    try:
        return orjson.loads(response.content)
    except ValueError:
        return None
