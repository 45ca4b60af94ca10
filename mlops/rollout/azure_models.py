"""Registered models in Azure: the version that a label means now, and what describes a model,
without the model."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

from azure.ai.ml import MLClient
from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential
from azure.storage.blob import ContainerClient, StorageErrorCode

from azureml_scoring.models.files import manifest, mlflow_folder
from mlops.endpoint import EndpointError
from mlops.rollout.azure_calls import AzureCalls
from mlops.rollout.model_reference import Registered

DESCRIBING = (manifest.FILE_NAME, mlflow_folder.FILE_NAME)
"""A model may weigh gigabytes; these files beside it say what it takes, and what it must answer."""

IN_STORE = re.compile(
    r"azureml://(?:.+/)?datastores/(?P<store>[^/]+)/paths/(?P<path>.+)", re.IGNORECASE
)
PATIENCE_S = 60


def connect(
    endpoint: str, *, subscription: str, resource_group: str, workspace: str
) -> AzureModels:
    """The workspace's models, as whoever is signed in. ``endpoint``: for errors, the one that is to
    serve them."""
    credential = DefaultAzureCredential()
    ml = MLClient(
        credential,
        subscription,
        resource_group,
        workspace,
        show_progress=False,
        enable_telemetry=False,
    )
    return AzureModels(ml, endpoint, credential)


class AzureModels:
    """``credential``: for datastores that have none of their own."""

    def __init__(
        self, ml: MLClient, endpoint: str, credential: Any, patience_s: float = PATIENCE_S
    ) -> None:
        self._ml = ml
        self._credential = credential
        self._calls = AzureCalls(ml, endpoint, patience_s)

    def version(self, model: Registered) -> Registered:
        """The model by the version that its label means now. Raises EndpointError."""
        if model.version:
            return model
        found = self._look_up(model)
        return Registered(model.name, str(found.version), place=model.place)

    def describe(self, model: Registered, folder: Path) -> None:
        """Write the model's manifest and MLmodel into ``folder``, where it has them. Raises
        EndpointError."""
        found = IN_STORE.fullmatch(str(self._look_up(model).path))
        if not found:
            raise EndpointError(
                f"The files of {model} lie outside of the workspace's datastores; copy them here."
            )
        with self._container(found["store"]) as container:
            for name in DESCRIBING:
                path = f"{found['path'].rstrip('/')}/{name}"
                content = self._calls.ask(
                    f"read {name} of {model}", functools.partial(_read, container, path)
                )
                if content is not None:
                    (folder / name).write_bytes(content)

    def _look_up(self, model: Registered) -> Any:
        here = (self._ml.subscription_id, self._ml.resource_group_name, self._ml.workspace_name)
        if model.place and [part.lower() for part in model.place] != [
            str(part).lower() for part in here
        ]:
            raise EndpointError(
                f"{model} is registered in the workspace {model.place[-1]}; register it in "
                f"{here[-1]}."
            )
        return self._calls.ask(
            f"look up the model {model}",
            lambda: self._ml.models.get(model.name, version=model.version, label=model.label),
        )

    def _container(self, name: str) -> ContainerClient:
        store = self._calls.ask(
            f"look up the datastore {name}",
            lambda: self._ml.datastores.get(name, include_secrets=True),
        )
        container = getattr(store, "container_name", None) or getattr(store, "filesystem", None)
        if not container:
            raise EndpointError(
                f"The datastore {name} is no blob container, and others are not read; copy the "
                f"model."
            )
        own = getattr(store.credentials, "sas_token", None) or getattr(
            store.credentials, "account_key", None
        )
        return ContainerClient(
            f"{store.protocol}://{store.account_name}.blob.{store.endpoint}",
            container,
            credential=own or self._credential,
            retry_total=0,  # AzureCalls waits, and knows for what
        )


def _read(container: ContainerClient, path: str) -> bytes | None:
    """None where there is no such blob."""
    try:
        return container.download_blob(path).readall()
    except HttpResponseError as error:
        code = getattr(error, "error_code", None)  # azure-storage-blob adds it
        if code == StorageErrorCode.BLOB_NOT_FOUND:
            return None
        if error.status_code == 403:
            raise EndpointError(
                f"The storage account {container.account_name} does not let us read the model's "
                f"manifest "
                f"({code}); ask for the role Storage Blob Data Reader on it and a way through its "
                f"firewall."
            ) from error
        raise
