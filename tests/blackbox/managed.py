"""The front of a managed endpoint before one of our servers: TLS, a key, and 424 for anything but
200."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme

from arm.https import HttpsServer, Reply, Request
from arm.https import serving as serving_https
from arm.scoring import as_azure_answers
from blackbox.server import Server

KEY = "s3cret-key"


@contextmanager
def managed(server: Server, folder: Path) -> Iterator[HttpsServer]:
    """Run the front. ``folder`` gets the authority to trust; see ``managed_env``."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")

    def forward(request: Request) -> Reply:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return Reply(401, {"error": {"code": "Unauthorized"}})
        kind = {"Content-Type": request.headers["content-type"]}
        response = server.client.post("/score", content=request.body, headers=kind)
        return as_azure_answers(Reply(response.status_code, response.content))

    with serving_https(forward, authority) as front:
        yield front


def managed_env(folder: Path) -> dict[str, str]:
    return {"SSL_CERT_FILE": str(folder / "authority.pem"), "KEY": KEY}
