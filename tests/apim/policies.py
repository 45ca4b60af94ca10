"""Policies as functions of a ``Context``. What is not known in full is refused when it is loaded.

Each follows its page, ``https://learn.microsoft.com/azure/api-management/<name>-policy``.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from apim.counters import Clock, FixedWindow, SlidingWindow
from apim.csharp import STATIC, Compiled, Members, Thrown, Unsupported, compiled, is_expression
from apim.messages import Context, Failure, Headers, Request, Response
from apim.rules import EVERYWHERE, RULES

Step = Callable[[Context], None]
Target = Callable[[Context], Any]
Backend = Callable[[Request, float], Response]
"""Of a request and the seconds it may take. Raises TimeoutError, ConnectionError and CircuitOpen."""


class CircuitOpen(Exception):
    """The backend's circuit breaker has tripped: https://learn.microsoft.com/azure/api-management/backends."""


@dataclass
class Returned(Exception):
    """By ``return-response``: nothing else runs."""

    response: Response


@dataclass(frozen=True)
class Services:
    """What an API Management instance has beside its policies."""

    now: Clock
    backends: Mapping[str, Backend]
    token: Callable[[str], str]
    """Of a resource, for the instance's managed identity."""


@dataclass
class Cors:
    """https://learn.microsoft.com/azure/api-management/cors-policy

    The page does not say on which responses to a real request its headers are; here on each, once the policy has run.
    """

    origins: set[str]
    methods: set[str]
    headers: set[str]
    exposed: list[str]
    max_age: str

    def allows(self, request: Request) -> bool:
        return _with_port(request.headers.get("Origin")) in self.origins

    def preflight(self, request: Request) -> Response:
        """The only policy that a preflight meets. What does not match gets an empty 200."""
        asked = {name.strip().lower() for name in request.headers.get("Access-Control-Request-Headers").split(",")}
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


def _with_port(origin: str) -> str:
    """As the policy compares them: a port that is left out is the scheme's."""
    parts = urlsplit(origin)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or {'http': 80, 'https': 443}.get(parts.scheme)}"


@dataclass
class Loader:
    """Of the documents of one API."""

    services: Services
    fragments: Mapping[str, ET.Element]
    cors: Cors | None = None
    rates: list[SlidingWindow] = field(default_factory=list)
    quotas: list[FixedWindow] = field(default_factory=list)

    def section(self, document: ET.Element, name: str, scope: str, base: list[Step]) -> list[Step]:
        """The steps of a section, with those of the wider scope where ``base`` stands."""
        if document.tag != "policies" or {child.tag for child in document} - EVERYWHERE:
            raise Unsupported(f"{document.tag} with {[child.tag for child in document]}")
        parent = document.find(name)
        steps: list[Step] = []
        for element in [] if parent is None else parent:
            steps += base if element.tag == "base" else [self.step(element, name, scope)]
        return steps

    def step(self, element: ET.Element, section: str, scope: str) -> Step:
        rule = RULES.get(element.tag)
        if rule is None or element.tag not in FACTORIES:
            raise Unsupported(f"policy {element.tag}")
        if section not in rule.sections or scope not in rule.scopes:
            raise Unsupported(f"{element.tag} in {section} of {scope}")
        if unknown := set(element.keys()) - rule.attributes:
            raise Unsupported(f"{element.tag} with {unknown}")
        if text := (element.text or "").strip():
            raise Unsupported(f"{element.tag} with {text}")
        run = FACTORIES[element.tag](self, element, section, scope)

        def step(context: Context) -> None:
            try:
                run(context)
            except Thrown as error:
                raise Failure(element.tag, "ExpressionValueEvaluationFailure", 500) from error

        return step

    def steps(self, parent: ET.Element, section: str, scope: str) -> list[Step]:
        return [self.step(element, section, scope) for element in parent]

    def value(self, text: str) -> Compiled:
        """A literal, or an expression, as a function of the context."""
        if not is_expression(text.strip()):
            if "{{" in text or "${" in text:
                raise Unsupported(f"not filled in: {text}")
            return lambda context: text
        run = compiled(text.strip())
        now = self.services.now
        return lambda context: run({"context": context, "DateTime": Members({"UtcNow": now()}), **STATIC})


def _run(steps: list[Step], context: Context) -> None:
    for step in steps:
        step(context)


def _message(section: str) -> Target:
    return lambda context: context.request if section == "inbound" else context.response


def _number(text: str, least: int, most: float) -> int:
    if not least <= int(text) <= most:
        raise Unsupported(f"{text} is not between {least} and {most}")
    return int(text)


def _set_header(loader: Loader, element: ET.Element, target: Target) -> Step:
    name, action = element.attrib["name"], loader.value(element.get("exists-action", "override"))
    if name.lower() in ("connection", "content-length", "keep-alive", "transfer-encoding", "server"):
        raise Unsupported(f"set-header of {name}")
    values = [loader.value(child.text or "") for child in element]

    def step(context: Context) -> None:
        target(context).headers.set(name, action(context), [str(value(context)) for value in values])

    return step


def _set_query_parameter(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    if element.get("exists-action") != "delete" or len(element):
        raise Unsupported("set-query-parameter for anything but delete")

    def step(context: Context) -> None:
        context.request.query.pop(element.attrib["name"], None)

    return step


def _set_status(loader: Loader, element: ET.Element, target: Target) -> Step:
    code, reason = loader.value(element.attrib["code"]), loader.value(element.attrib["reason"])

    def step(context: Context) -> None:
        # Both are read of the response as it was.
        status, phrase = int(code(context)), reason(context)
        target(context).status, target(context).reason = status, phrase

    return step


def _set_body(loader: Loader, element: ET.Element, target: Target) -> Step:
    value = loader.value(element.text or "")

    def step(context: Context) -> None:
        target(context).body = value(context).encode()

    return step


def _return_response(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    def target(context: Context) -> Response:
        return response[0]

    response: list[Response] = []
    kinds = {"set-status": _set_status, "set-header": _set_header, "set-body": _set_body}
    if unknown := {child.tag for child in element} - kinds.keys():
        raise Unsupported(f"return-response with {unknown}")
    steps = [kinds[child.tag](loader, child, target) for child in element]

    def step(context: Context) -> None:
        response[:] = [Response(200)]
        context.response = None  # the page says that its body is gone, and nothing of the rest
        _run(steps, context)
        raise Returned(response[0])

    return step


def _set_variable(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    value = loader.value(element.attrib["value"])
    return lambda context: context.variables.update({element.attrib["name"]: value(context)})


def _choose(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    branches: list[tuple[Compiled, list[Step]]] = []
    for child in element:
        if child.tag == "when":
            branches.append((loader.value(child.attrib["condition"]), loader.steps(child, section, scope)))
        elif child.tag == "otherwise":
            branches.append((lambda context: True, loader.steps(child, section, scope)))
        else:
            raise Unsupported(f"choose with {child.tag}")

    def step(context: Context) -> None:
        for condition, steps in branches:
            if condition(context):
                _run(steps, context)
                return

    return step


def _include_fragment(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    fragment = loader.fragments[element.attrib["fragment-id"]]
    if fragment.tag != "fragment" or fragment.find(".//include-fragment") is not None:
        raise Unsupported("a fragment in a fragment, or no fragment")
    steps = loader.steps(fragment, section, scope)
    return lambda context: _run(steps, context)


def _cors(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    if element.get("terminate-unmatched-request") != "false" or element.get("allow-credentials") != "false":
        raise Unsupported("cors that ends requests, or with credentials")
    texts = {child.tag: [item.text or "" for item in child] for child in element}
    for origin in texts["allowed-origins"]:
        if origin != f"{urlsplit(origin).scheme}://{urlsplit(origin).netloc}":
            raise Unsupported(f"cors: {origin} is no origin: no expressions, no named values, no path")
    methods = element.find("allowed-methods")
    assert methods is not None
    loader.cors = Cors(
        {_with_port(origin) for origin in texts["allowed-origins"]},
        set(texts["allowed-methods"]),
        {name.lower() for name in texts["allowed-headers"]},
        texts["expose-headers"],
        methods.get("preflight-result-max-age", "0"),
    )
    return loader.cors.on_request


def _rate_limit_by_key(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    calls, seconds = int(element.attrib["calls"]), _number(element.attrib["renewal-period"], 1, 300)
    window = SlidingWindow(calls, seconds, loader.services.now)
    loader.rates.append(window)
    key = loader.value(element.attrib["counter-key"])

    def step(context: Context) -> None:
        counted = key(context)
        if not window.passes(counted):
            retry = {"Retry-After": str(window.retry_after(counted))}
            raise Failure("rate-limit-by-key", "RateLimitExceeded", 429, retry)
        context.rate_headers[element.attrib["remaining-calls-header-name"]] = str(window.remaining(counted))
        context.rate_headers[element.attrib["total-calls-header-name"]] = str(calls)

    return step


def _quota(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    """``quota`` too: by subscription, in periods from its start, and not without a key."""
    by_key = element.tag == "quota-by-key"
    seconds = _number(element.attrib["renewal-period"], 300, float("inf"))
    window = FixedWindow(int(element.attrib["calls"]), seconds, loader.services.now)
    loader.quotas.append(window)
    key = loader.value(element.get("counter-key", "@(context.Subscription.Id)"))

    def step(context: Context) -> None:
        if context.subscription is None and not by_key:
            return
        start = {} if by_key or context.subscription is None else {"start": context.subscription.started}
        if not window.spend(key(context), **start):
            raise Failure(element.tag, "QuotaExceeded", 403, {"Retry-After": str(window.retry_after(**start))})

    return step


def _check_header(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    name, status = element.attrib["name"], int(element.attrib["failed-check-httpcode"])
    if element.get("ignore-case") != "true" or any(is_expression(value.text or "") for value in element):
        raise Unsupported("check-header with regard to case, or of an expression")
    allowed = {(value.text or "").lower() for value in element}

    def step(context: Context) -> None:
        if not context.request.headers.get(name):
            raise Failure("check-header", "HeaderNotFound", status)
        if allowed and context.request.headers[name].lower() not in allowed:
            raise Failure("check-header", "HeaderValueNotAllowed", status)

    return step


def _managed_identity(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    def step(context: Context) -> None:
        token = loader.services.token(element.attrib["resource"])
        context.request.headers.set("Authorization", "override", [f"Bearer {token}"])

    return step


def _set_backend_service(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    if element.attrib["backend-id"] not in loader.services.backends:
        raise Unsupported(f"backend {element.attrib['backend-id']}")

    def step(context: Context) -> None:
        context.backend = element.attrib["backend-id"]

    return step


def _forward_request(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    """The circuit breaker's 503 is by https://learn.microsoft.com/azure/api-management/backends.

    The status of a time-out and of a lost connection is not documented; the policies do not rely on it.
    """
    timeout = float(element.attrib["timeout"])

    def step(context: Context) -> None:
        try:
            context.response = loader.services.backends[context.backend](context.request, timeout)
        except TimeoutError as error:
            raise Failure("forward-request", "Timeout", 500) from error
        except ConnectionError as error:
            raise Failure("forward-request", "BackendConnectionFailure", 500) from error
        except CircuitOpen as error:
            raise Failure("forward-request", "", 503) from error
        for name, value in context.rate_headers.items():
            context.response.headers.set(name, "override", [value])

    return step


def _on_message(factory: Callable[[Loader, ET.Element, Target], Step]) -> Factory:
    return lambda loader, element, section, scope: factory(loader, element, _message(section))


Factory = Callable[[Loader, ET.Element, str, str], Step]
FACTORIES: dict[str, Factory] = {
    "authentication-managed-identity": _managed_identity,
    "check-header": _check_header,
    "choose": _choose,
    "cors": _cors,
    "forward-request": _forward_request,
    "include-fragment": _include_fragment,
    "quota": _quota,
    "quota-by-key": _quota,
    "rate-limit-by-key": _rate_limit_by_key,
    "return-response": _return_response,
    "set-backend-service": _set_backend_service,
    "set-header": _on_message(_set_header),
    "set-query-parameter": _set_query_parameter,
    "set-status": _on_message(_set_status),
    "set-variable": _set_variable,
}
