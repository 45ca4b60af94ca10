"""A gateway that runs our policies as API Management does: sections, scopes and what happens when
something fails.

https://learn.microsoft.com/azure/api-management/api-management-howto-policies
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from uuid import UUID, uuid4

from apim.dotnet import Unsupported
from apim.loading import Loader, Services, Step, run
from apim.messages import Context, Failure, Headers, Request, Response, Subscription
from apim.policies import FACTORIES, Returned
from apim.rules import EVERYWHERE

POLICIES = Path(__file__).parents[2] / "infrastructure" / "policies"
OPERATION, HEALTH = ("POST", "/score"), ("GET", "/health")
PROBE = '{"data": [[1, 2]]}'
KEY_HEADER, KEY_PARAMETER = "Ocp-Apim-Subscription-Key", "subscription-key"


def document(name: str, origins: list[str], front_door_id: str = "") -> ET.Element:
    """A file of ``infrastructure/policies`` as Terraform's ``templatefile`` fills it in."""
    text = (POLICIES / name).read_text()
    filled = {
        "allowed_origins": "".join(f"<origin>{origin}</origin>" for origin in origins),
        "front_door_id": front_door_id,
        "request": PROBE,
    }
    for variable, value in filled.items():
        text = text.replace(f"${{{variable}}}", value)
    return ET.fromstring(text)


class Gateway:
    """The inference API in a product, whose policy is the file ``product``."""

    def __init__(
        self,
        product: str,
        services: Services,
        subscriptions: Mapping[str, Subscription],
        origins: list[str],
        front_door_id: str = "",
    ) -> None:
        self._services, self._subscriptions = services, subscriptions
        fragments = {
            path.stem: document(f"fragments/{path.name}", [])
            for path in POLICIES.glob("fragments/*.xml")
        }
        self.loader = Loader(services, FACTORIES, fragments)
        self._sections: dict[str, list[Step]] = {}
        self._health: dict[str, list[Step]] = {}
        for section in EVERYWHERE:
            # The default policy of all APIs holds but a forward-request, for whom has no backend of
            # their own.
            wider = self.loader.section(document(product, origins), section, "product", base=[])
            self._sections[section] = self.loader.section(
                document("api.xml", origins, front_door_id), section, "api", base=wider
            )
            self._health[section] = self.loader.section(
                document("health.xml", origins), section, "api", base=[]
            )

    def handle(self, request: Request, request_id: UUID | None = None) -> Response:
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            assert self.loader.cors is not None
            return self.loader.cors.preflight(request)
        operation = (request.method, request.path)
        if operation not in (OPERATION, HEALTH):
            raise Unsupported("a request that matches no operation meets no policy of ours")
        context = Context(deepcopy(request), request_id or uuid4(), self._services.now())
        response = self._answer(context, keyless=operation == HEALTH)
        for name, value in context.promised.items():
            response.headers.set(name, "override", [value])
        return response

    def _answer(self, context: Context, *, keyless: bool) -> Response:
        sections = self._health if keyless else self._sections
        try:
            try:
                if not keyless:
                    self._authorize(context)
                for section in ("inbound", "backend", "outbound"):
                    run(sections[section], context)
            except Failure as failure:
                context.last_error = failure
                context.response = Response(failure.status, Headers(failure.headers))
                run(sections["on-error"], context)
        except Returned as returned:
            return returned.response
        assert context.response is not None
        return context.response

    def _authorize(self, context: Context) -> None:
        """Check the key before any policy:
        https://learn.microsoft.com/azure/api-management/api-management-subscriptions.

        The key is in the header, or else in the query.
        """
        request = context.request
        key = request.headers.get(KEY_HEADER) or request.query.get(KEY_PARAMETER)
        if not key:
            raise Failure("authorization", "SubscriptionKeyNotFound", 401)
        if key not in self._subscriptions:
            raise Failure("authorization", "SubscriptionKeyInvalid", 401)
        context.subscription = self._subscriptions[key]
