"""The policies that change requests and answers, and those that steer.

Each follows its page, ``https://learn.microsoft.com/azure/api-management/<name>-policy``.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from apim import cors
from apim.dotnet import Unsupported
from apim.limits import check_header, quota, rate_limit_by_key
from apim.loading import CircuitOpen, Factory, Loader, Step, Value, run
from apim.messages import Context, Failure, Response

Target = Callable[[Context], Any]


@dataclass
class Returned(Exception):
    """Raised by ``return-response``: nothing else runs."""

    response: Response


def _message(section: str) -> Target:
    return lambda context: context.request if section == "inbound" else context.response


def _set_header(loader: Loader, element: ET.Element, target: Target) -> Step:
    name, action = element.attrib["name"], loader.value(element.get("exists-action", "override"))
    if name.lower() in (
        "connection",
        "content-length",
        "keep-alive",
        "transfer-encoding",
        "server",
    ):
        raise Unsupported(f"set-header of {name}")
    values = [loader.value(child.text or "") for child in element]

    def step(context: Context) -> None:
        target(context).headers.set(
            name, action(context), [str(value(context)) for value in values]
        )

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


def _set_method(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    method = (element.text or "").strip()

    def step(context: Context) -> None:
        context.request.method = method

    return step


def _rewrite_uri(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    def step(context: Context) -> None:
        context.request.path = element.attrib["template"]

    return step


def _cache_lookup_value(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    def step(context: Context) -> None:
        until, value = loader.cached.get(element.attrib["key"], (None, None))
        kept = until is not None and loader.services.now() < until
        context.variables[element.attrib["variable-name"]] = (
            value if kept else element.attrib["default-value"]
        )

    return step


def _cache_store_value(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    value = loader.value(element.attrib["value"])
    duration = timedelta(seconds=int(element.attrib["duration"]))

    def step(context: Context) -> None:
        loader.cached[element.attrib["key"]] = (loader.services.now() + duration, value(context))

    return step


def _return_response(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    kinds = {"set-status": _set_status, "set-header": _set_header, "set-body": _set_body}
    if unknown := {child.tag for child in element} - kinds.keys():
        raise Unsupported(f"return-response with {unknown}")
    steps = [kinds[child.tag](loader, child, lambda context: context.returned) for child in element]

    def step(context: Context) -> None:
        context.response, context.returned = (
            None,
            Response(200),
        )  # the page leaves open what is left of the old one
        run(steps, context)
        raise Returned(context.returned)

    return step


def _set_variable(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    value = loader.value(element.attrib["value"])
    return lambda context: context.variables.update({element.attrib["name"]: value(context)})


def _choose(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    branches: list[tuple[Value, list[Step]]] = []
    for child in element:
        if child.tag == "when":
            branches.append(
                (loader.value(child.attrib["condition"]), loader.steps(child, section, scope))
            )
        elif child.tag == "otherwise":
            branches.append((lambda context: True, loader.steps(child, section, scope)))
        else:
            raise Unsupported(f"choose with {child.tag}")

    def step(context: Context) -> None:
        for condition, steps in branches:
            if condition(context):
                run(steps, context)
                return

    return step


def _include_fragment(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    fragment = loader.fragments[element.attrib["fragment-id"]]
    if fragment.tag != "fragment" or fragment.find(".//include-fragment") is not None:
        raise Unsupported("a fragment in a fragment, or no fragment")
    steps = loader.steps(fragment, section, scope)
    return lambda context: run(steps, context)


def _cors(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    loader.cors = cors.load(element)
    return loader.cors.on_request


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

    The status of a time-out and of a lost connection is not documented; the policies do not rely on
    it.
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


FACTORIES: dict[str, Factory] = {
    "authentication-managed-identity": _managed_identity,
    "cache-lookup-value": _cache_lookup_value,
    "cache-store-value": _cache_store_value,
    "check-header": check_header,
    "choose": _choose,
    "cors": _cors,
    "forward-request": _forward_request,
    "include-fragment": _include_fragment,
    "quota": quota,
    "quota-by-key": quota,
    "rate-limit-by-key": rate_limit_by_key,
    "return-response": _return_response,
    "rewrite-uri": _rewrite_uri,
    "set-backend-service": _set_backend_service,
    "set-body": _on_message(_set_body),
    "set-header": _on_message(_set_header),
    "set-method": _set_method,
    "set-query-parameter": _set_query_parameter,
    "set-status": _on_message(_set_status),
    "set-variable": _set_variable,
}
