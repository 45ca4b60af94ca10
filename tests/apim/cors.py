"""https://learn.microsoft.com/azure/api-management/cors-policy"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from urllib.parse import urlsplit

from apim.dotnet import Unsupported
from apim.messages import Context, Headers, Request, Response


@dataclass
class Cors:
    """The policy's page does not say which responses to a real request get its headers; here all,
    once it has run."""

    origins: set[str]
    methods: set[str]
    headers: set[str]
    exposed: list[str]
    max_age: str

    def allows(self, request: Request) -> bool:
        return _with_port(request.headers.get("Origin")) in self.origins

    def preflight(self, request: Request) -> Response:
        """The only policy that a preflight meets. What does not match gets an empty 200."""
        asked = {
            name.strip().lower()
            for name in request.headers.get("Access-Control-Request-Headers").split(",")
        }
        method = request.headers["Access-Control-Request-Method"]
        if not (self.allows(request) and method in self.methods and asked - {""} <= self.headers):
            return Response(200)
        allowed = {
            "Access-Control-Allow-Origin": request.headers["Origin"],
            "Access-Control-Allow-Methods": ",".join(sorted(self.methods)),
            "Access-Control-Allow-Headers": ",".join(sorted(self.headers)),
            "Access-Control-Max-Age": self.max_age,
        }
        return Response(200, Headers(allowed))

    def on_request(self, context: Context) -> None:
        if self.allows(context.request):
            context.promised["Access-Control-Allow-Origin"] = context.request.headers["Origin"]
            context.promised["Access-Control-Expose-Headers"] = ",".join(self.exposed)


def load(element: ET.Element) -> Cors:
    if (
        element.get("terminate-unmatched-request") != "false"
        or element.get("allow-credentials") != "false"
    ):
        raise Unsupported("cors that ends requests, or with credentials")
    texts = {child.tag: [item.text or "" for item in child] for child in element}
    for origin in texts["allowed-origins"]:
        if origin != f"{urlsplit(origin).scheme}://{urlsplit(origin).netloc}":
            raise Unsupported(
                f"cors: {origin} is no origin: no expressions, no named values, no path"
            )
    methods = element.find("allowed-methods")
    assert methods is not None
    return Cors(
        {_with_port(origin) for origin in texts["allowed-origins"]},
        set(texts["allowed-methods"]),
        {name.lower() for name in texts["allowed-headers"]},
        texts["expose-headers"],
        methods.get("preflight-result-max-age", "0"),
    )


def _with_port(origin: str) -> str:
    """Return an origin as the policy compares it: without a port it has the scheme's."""
    parts = urlsplit(origin)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{parts.hostname}:{port}"
