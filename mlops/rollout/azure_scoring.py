"""Sends requests to a managed endpoint, with a key, a token of its own or one of Microsoft
Entra."""

from __future__ import annotations

import httpx
from azure.ai.ml import MLClient
from azure.ai.ml.entities import EndpointAuthKeys

from azureml_scoring.client.headers import DEPLOYMENT_HEADER
from azureml_scoring.client.model_status import model_status
from mlops.endpoint import EndpointAnswer, EndpointError
from mlops.rollout.azure_calls import AzureCalls


class AzureScoring:
    """Scores rows on one endpoint."""

    def __init__(self, calls: AzureCalls, ml: MLClient, http: httpx.Client, endpoint: str) -> None:
        self._calls = calls
        self._ml = ml
        self._http = http
        self._endpoint = endpoint
        self._access: tuple[str, str] | None = None

    def score(self, body: bytes, deployment: str | None) -> EndpointAnswer:
        """Score ``body``. 408, 429 and 5xx are answers too. Raises EndpointError if no deployment
        was reached."""
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
        return EndpointAnswer(
            model_status(response.status_code, response.headers),
            response.content,
            response.elapsed.total_seconds() * 1000,
        )

    def _post(self, body: bytes, deployment: str | None) -> httpx.Response:
        self._access = self._access or self._look_up()
        url, authorization = self._access
        headers = {"Content-Type": "application/json", "Authorization": authorization}
        if deployment:
            headers[DEPLOYMENT_HEADER] = deployment
        try:
            return self._http.post(url, content=body, headers=headers)
        except httpx.RequestError as error:
            raise EndpointError(
                f"{url} can't be reached ({error}); check the network and the proxy."
            ) from error

    def _look_up(self) -> tuple[str, str]:
        endpoints, name = self._ml.online_endpoints, self._endpoint
        endpoint = self._calls.ask(f"look up endpoint {name}", lambda: endpoints.get(name))
        keys = self._calls.ask(f"get a key of {name}", lambda: endpoints.get_keys(name))
        secret = keys.primary_key if isinstance(keys, EndpointAuthKeys) else keys.access_token
        return str(endpoint.scoring_uri), f"Bearer {secret}"
