"""What a file describes, as its ``$schema`` says."""

from __future__ import annotations

import re
from enum import StrEnum

from mlops.check.document import Document

SCHEMAS = "https://azuremlschemas.azureedge.net/latest"


class Kind(StrEnum):
    """The name of Azure ML's schema."""

    MANAGED_ENDPOINT = "managedOnlineEndpoint"
    KUBERNETES_ENDPOINT = "kubernetesOnlineEndpoint"
    MANAGED_DEPLOYMENT = "managedOnlineDeployment"
    KUBERNETES_DEPLOYMENT = "kubernetesOnlineDeployment"
    ENVIRONMENT = "environment"
    MODEL = "model"


ENDPOINTS = (Kind.MANAGED_ENDPOINT, Kind.KUBERNETES_ENDPOINT)
DEPLOYMENTS = (Kind.MANAGED_DEPLOYMENT, Kind.KUBERNETES_DEPLOYMENT)


def kind(document: Document) -> Kind | None:
    """None where ``$schema`` is missing, or none of those that are checked."""
    found = re.fullmatch(r".*/(\w+)\.schema\.json", str(document.value("$schema")))
    return {kind.value: kind for kind in Kind}.get(found[1]) if found else None


def on_kubernetes(document: Document) -> bool:
    return kind(document) in (Kind.KUBERNETES_ENDPOINT, Kind.KUBERNETES_DEPLOYMENT)
