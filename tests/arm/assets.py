"""Versions of code and environments in a workspace, and the storage that local code is uploaded
to."""

from __future__ import annotations

from typing import Any

from arm.https import Reply, Request


class Assets:
    """``versions`` by path below the workspace; ``blobs`` by path in the storage, with their
    content."""

    def __init__(self) -> None:
        self.url = ""
        self.versions: dict[str, dict[str, Any]] = {}
        self.blobs: dict[str, bytes] = {}

    def version(self, request: Request, kind: str, name: str, version: str) -> Reply:
        path = f"/{kind}/{name}/versions/{version}"
        if request.method == "PUT":
            self.versions[path] = {**request.document, "id": request.path, "name": version}
            return Reply(201, self.versions[path])
        if path in self.versions:
            return Reply(200, self.versions[path])
        return Reply(404, {"error": {"code": "NotFound", "message": f"{path} was not found."}})

    def list(self, request: Request, kind: str, name: str) -> Reply:
        """Return all versions of that name."""
        prefix = f"/{kind}/{name}/versions/"
        found = [one for path, one in self.versions.items() if path.startswith(prefix)]
        return Reply(200, {"value": found})

    def upload(self, _: Request, __: str, ___: str) -> Reply:
        container = f"{self.url}/blobs/container"
        return Reply(
            200,
            {
                "pendingUploadId": "1",
                "pendingUploadType": "TemporaryBlobReference",
                "blobReferenceForConsumption": {
                    "blobUri": container,
                    "storageAccountArmId": "storage",
                    "credential": {"credentialType": "SAS", "sasUri": f"{container}?sig=signature"},
                },
            },
        )

    def storage(self, request: Request) -> Reply:
        stamp = {"ETag": '"1"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        if request.method == "PUT" and request.query.get("comp") == "metadata":
            return Reply(200, None, stamp)
        if request.method == "PUT":
            self.blobs[request.path] = request.body
            return Reply(201, None, stamp)
        return Reply(404, None, {"x-ms-error-code": "BlobNotFound"})
