"""Models that are registered in a workspace, the datastore that holds their files, and the storage
behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from arm.https import Reply, Request

ACCOUNT, CONTAINER, STORE = "mlstore", "azureml-blobs", "workspaceblobstore"
HOST = f"{ACCOUNT}.blob.localhost"
SAS = "sv=2024-05-04&sig=signature"
STORAGE_AUDIENCE = "https://storage.azure.com/.default"
CREATED = {"createdBy": "someone", "createdAt": "2026-01-01T00:00:00Z"}


class Models:
    """``identity``: the datastore has no secret, and who reads it must be let in by Microsoft
    Entra."""

    def __init__(self) -> None:
        self.prefix = ""
        self.url = ""
        self.identity = False
        self.blobs: dict[str, bytes] = {}
        self._versions: dict[str, dict[str, Any]] = {}

    def register(self, name: str, version: str, files: Mapping[str, bytes]) -> None:
        """A folder with those files, the newest version from now on."""
        folder = f"LocalUpload/{name}{version}/artifact"
        self.blobs |= {f"/{CONTAINER}/{folder}/{file}": content for file, content in files.items()}
        uri = f"azureml:/{self.prefix}/datastores/{STORE}/paths/{folder}".replace(
            "resourceGroups", "resourcegroups"
        )
        properties = {
            "modelUri": uri.replace("/providers/Microsoft.MachineLearningServices", ""),
            "isArchived": False,
        }
        self._keep(
            name, version, {"modelType": "custom_model", "tags": {}, "properties": {}, **properties}
        )

    def files(self, name: str, version: str) -> dict[str, bytes]:
        """Return the files of a registered folder, as they were uploaded."""
        folder = self._versions[name][version]["properties"]["modelUri"].partition("/paths/")[2]
        return {
            path.rpartition("/")[2]: content
            for path, content in self.blobs.items()
            if f"/{folder}/" in path
        }

    def _keep(self, name: str, version: str, properties: Mapping[str, Any]) -> None:
        self._versions.setdefault(name, {})[version] = {
            "id": f"{self.prefix}/models/{name}/versions/{version}",
            "name": version,
            "properties": {"flavors": {}, **properties},
            "systemData": CREATED,
        }

    def version(self, request: Request, name: str, version: str) -> Reply:
        if request.method == "PUT":
            self._keep(name, version, request.document["properties"])
        if found := self._versions.get(name, {}).get(version):
            return Reply(200, found)
        return Reply(
            404,
            {"error": {"code": "UserError", "message": f"Model {name}:{version} was not found."}},
        )

    def newest(self, request: Request, name: str) -> Reply:
        if (order := request.query["$orderBy"]) != "createdtime desc":
            return Reply(
                400,
                {
                    "error": {
                        "code": "UserError",
                        "message": f"$orderBy {order} is not served here.",
                    }
                },
            )
        newest_first = list(self._versions.get(name, {}).values())[::-1]
        return Reply(200, {"value": newest_first[: int(request.query["$top"])]})

    def datastore(self, _: Request, name: str) -> Reply:
        if name != STORE:
            return Reply(
                404, {"error": {"code": "UserError", "message": f"Datastore {name} was not found."}}
            )
        properties = {
            "datastoreType": "AzureBlob",
            "accountName": ACCOUNT,
            "containerName": CONTAINER,
            "endpoint": self.url.removeprefix("https://"),
            "protocol": "https",
            "credentials": {"credentialsType": "None" if self.identity else "AccountKey"},
            "isDefault": True,
        }
        return Reply(
            200, {"id": f"{self.prefix}/datastores/{name}", "name": name, "properties": properties}
        )

    def secrets(self, request: Request, _: str) -> Reply:
        """A signature for an hour, as azure-ai-ml asks for it."""
        if not request.document["expirableSecret"]:
            return Reply(200, {"secretsType": "AccountKey", "key": "a2V5"})
        return Reply(200, {"secretsType": "Sas", "sasToken": SAS})

    def storage(self, request: Request) -> Reply:
        """A blob, to whom may read and write it."""
        bearer = (
            request.headers.get("authorization") == f"Bearer entra-token for {STORAGE_AUDIENCE}"
        )
        if not (bearer if self.identity else request.query.get("sig") == "signature"):
            return _refusal(403, "AuthorizationPermissionMismatch")
        stamp = {"ETag": '"1"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        if request.method == "PUT":
            if request.query.get("comp") == "metadata":
                return Reply(200, None, stamp)
            self.blobs[request.path] = request.body
            return Reply(201, None, stamp)
        content = self.blobs.get(request.path)
        if content is None and request.method == "HEAD":
            return Reply(404, None, {"x-ms-error-code": "BlobNotFound"})
        if content is None:
            return _refusal(404, "BlobNotFound")
        first, last = (
            int(place) for place in request.headers["x-ms-range"].removeprefix("bytes=").split("-")
        )
        part = content[first : last + 1]
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(content)}",
            **stamp,
            "x-ms-blob-type": "BlockBlob",
        }
        return Reply(206, part, headers)


def _refusal(status: int, code: str) -> Reply:
    text = (
        "<?xml version='1.0' encoding='utf-8'?>"
        f"<Error><Code>{code}</Code><Message>{code}.</Message></Error>"
    )
    return Reply(
        status, text.encode(), {"x-ms-error-code": code, "Content-Type": "application/xml"}
    )
