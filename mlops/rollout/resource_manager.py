"""Requests to Azure Resource Manager that have no client of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy
from azure.core.rest import HttpRequest, HttpResponse

RESOURCE_MANAGER = "https://management.azure.com"


class ResourceManager:
    """A client of Azure Resource Manager. ``options``: for azure-core's transport and retries."""

    def __init__(
        self, credential: TokenCredential, url: str = RESOURCE_MANAGER, **options: Any
    ) -> None:
        policies = [
            RetryPolicy(**options),
            BearerTokenCredentialPolicy(credential, f"{url}/.default"),
        ]
        self._client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
            url, policies=policies, **options
        )

    def send(self, method: str, url: str, **body: Any) -> HttpResponse:
        """Send a request; ``url``: a whole one, or a path. Raises what azure-core raises."""
        request = HttpRequest(method, self._client.format_url(url), **body)
        response = self._client.send_request(request)
        response.raise_for_status()
        return response

    def every(self, url: str) -> Iterator[dict[str, Any]]:
        """Yield the resources of a list, page by page."""
        page: str | None = url
        while page:
            answer = self.send("GET", page).json()
            yield from answer["value"]
            page = answer.get("nextLink")
