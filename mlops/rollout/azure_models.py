"""Registered models in Azure: the version that a label means now, and a model's descriptions
without the model."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

from azure.ai.ml import MLClient
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import ContainerClient, StorageErrorCode

from azureml_scoring.models.files import manifest, mlflow_folder
from mlops.endpoint import EndpointError
from mlops.rollout.azure_calls import AzureCalls
from mlops.rollout.azure_sign_in import sign_in
from mlops.rollout.model_reference import Registered

DESCRIBING_FILES = (manifest.FILE_NAME, mlflow_folder.FILE_NAME)
"""A model may have gigabytes; these small files say what it takes and what it must answer."""

IN_STORE = re.compile(
    r"azureml://(?:.+/)?datastores/(?P<store>[^/]+)/paths/(?P<path>.+)", re.IGNORECASE
)
PATIENCE_S = 60


def connect(
    endpoint: str, *, subscription: str, resource_group: str, workspace: str
) -> AzureModels:
    """Connect to the workspace's models by ``sign_in``. ``endpoint``: the one that
    will serve them, for errors."""
    credential = sign_in()
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
    """The models of a workspace. ``credential``: for datastores without one of their own."""

    def __init__(
        self, ml: MLClient, endpoint: str, credential: Any, patience_s: float = PATIENCE_S
    ) -> None:
        self._ml = ml
        self._credential = credential
        self._calls = AzureCalls(ml, endpoint, patience_s)

    def version(self, model: Registered) -> Registered:
        """Return the model by the version that its label means now. Raises EndpointError."""
        if model.version:
            return model
        version = self._look_up(model).version
        return Registered(model.name, str(version), place=model.place)

    def describe(self, model: Registered, folder: Path) -> None:
        """Write the model's manifest and MLmodel, if it has them, into ``folder``. Raises
        EndpointError."""
        match = IN_STORE.fullmatch(str(self._look_up(model).path))
        if not match:
            raise EndpointError(
                f"The files of {model} lie outside of the workspace's datastores; copy them here."
            )
        with self._container(match["store"]) as container:
            for name in DESCRIBING_FILES:
                path = f"{match['path'].rstrip('/')}/{name}"
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
                f"The datastore {name} is not a blob container, the only kind that is read; copy "
                "the model."
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
    """Return the blob's content, or None if it does not exist."""
    try:
        return container.download_blob(path).readall()
    except HttpResponseError as error:
        code = getattr(error, "error_code", None)  # azure-storage-blob adds it
        if code == StorageErrorCode.BLOB_NOT_FOUND:
            return None
        if error.status_code == 403:
            raise EndpointError(
                f"The storage account {container.account_name} does not let us read the model's "
                f"manifest ({code}); ask for the role Storage Blob Data Reader on it "
                "and a way through its firewall."
            ) from error
        raise
