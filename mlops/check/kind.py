"""The kinds of files that are checked, recognised by their ``$schema``."""

from __future__ import annotations

import re
from enum import StrEnum

from mlops.check.document import Document

SCHEMAS = "https://azuremlschemas.azureedge.net/latest"


class DocumentKind(StrEnum):
    """The kind of a file. The values are the names of Azure ML's schemas."""

    MANAGED_ENDPOINT = "managedOnlineEndpoint"
    KUBERNETES_ENDPOINT = "kubernetesOnlineEndpoint"
    MANAGED_DEPLOYMENT = "managedOnlineDeployment"
    KUBERNETES_DEPLOYMENT = "kubernetesOnlineDeployment"
    ENVIRONMENT = "environment"
    MODEL = "model"
    MONITOR = "monitorSchedule"
    BATCH_ENDPOINT = "batchEndpoint"
    BATCH_DEPLOYMENT = "modelBatchDeployment"


ENDPOINTS = (DocumentKind.MANAGED_ENDPOINT, DocumentKind.KUBERNETES_ENDPOINT)
DEPLOYMENTS = (DocumentKind.MANAGED_DEPLOYMENT, DocumentKind.KUBERNETES_DEPLOYMENT)


def kind(document: Document) -> DocumentKind | None:
    """Return the document's kind, or None if ``$schema`` is missing or not one that is checked."""
    match = re.fullmatch(r".*/(\w+)\.schema\.json", str(document.value("$schema")))
    return {kind.value: kind for kind in DocumentKind}.get(match[1]) if match else None


def on_kubernetes(document: Document) -> bool:
    return kind(document) in (DocumentKind.KUBERNETES_ENDPOINT, DocumentKind.KUBERNETES_DEPLOYMENT)
