"""Signs in to Azure for as long as a rollout takes.

A federated login gives the Azure CLI one assertion, which ends after 5 to 10 minutes: from then on
the CLI gets no token that it does not hold already. So all are asked for at the start. On GitHub's
runner the CLI is left out: a credential fetches a new assertion for each token.
"""

from __future__ import annotations

import logging
import os

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import RetryPolicy
from azure.core.rest import HttpRequest, HttpResponse
from azure.identity import ClientAssertionCredential, DefaultAzureCredential

AUDIENCE = "api://AzureADTokenExchange"

SCOPES = (
    "https://management.azure.com/.default",
    "https://ml.azure.com/.default",
    "https://api.loganalytics.io/.default",
    "https://storage.azure.com/.default",
)
"""All that a rollout calls: Resource Manager, the endpoint, its traffic log, the model's files."""

RUNNER = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
"""What GitHub's runner sets for a job with ``id-token: write``."""

IDENTITY = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID")

log = logging.getLogger(__name__)


def sign_in() -> TokenCredential:
    """Return a credential of the job's identity on GitHub's runner, else of the user who is signed
    in, with a token for each of ``SCOPES``."""
    credential: TokenCredential = DefaultAzureCredential()
    if all(os.environ.get(name) for name in (*RUNNER, *IDENTITY)):
        tenant, client = (os.environ[name] for name in IDENTITY)
        credential = ClientAssertionCredential(tenant, client, _assertion)
    for scope in SCOPES:
        try:
            credential.get_token(scope)
        except AzureError as error:
            log.warning("Azure gave no token for %s yet: %s", scope, error)
    return credential


def _assertion() -> str:
    """Ask GitHub's runner who this job is. Raises AzureError."""
    url, token = (os.environ[name] for name in RUNNER)
    client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
        url, policies=[RetryPolicy()]
    )
    with client:
        asked = HttpRequest(
            "GET",
            url,
            params={"audience": AUDIENCE},
            headers={"Authorization": f"Bearer {token}"},
        )
        answer = client.send_request(asked)
        answer.raise_for_status()
        assertion: str = answer.json()["value"]
        return assertion
