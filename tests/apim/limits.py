"""The policies that refuse requests; each follows its page, ``https://learn.microsoft.com/azure/api-management/<name>-policy``."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from apim.counters import BEGINNING, FixedWindow, SlidingWindow
from apim.csharp import is_expression
from apim.dotnet import Unsupported
from apim.loading import Loader, Step
from apim.messages import Context, Failure


def rate_limit_by_key(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    calls, seconds = int(element.attrib["calls"]), _number(element.attrib["renewal-period"], 1, 300)
    window = SlidingWindow(calls, seconds, loader.services.now)
    key = loader.value(element.attrib["counter-key"])

    def step(context: Context) -> None:
        counted = key(context)
        if not window.passes(counted):
            retry = {"Retry-After": str(window.retry_after(counted))}
            raise Failure("rate-limit-by-key", "RateLimitExceeded", 429, retry)
        context.rate_headers[element.attrib["remaining-calls-header-name"]] = str(
            window.remaining(counted)
        )
        context.rate_headers[element.attrib["total-calls-header-name"]] = str(calls)

    return step


def quota(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    """Apply ``quota`` or ``quota-by-key``. ``quota`` counts by subscription, in periods from its
    start."""
    by_key = element.tag == "quota-by-key"
    seconds = _number(element.attrib["renewal-period"], 300, float("inf"))
    window = FixedWindow(int(element.attrib["calls"]), seconds, loader.services.now)
    loader.quotas.append(window)
    key = loader.value(element.get("counter-key", "@(context.Subscription.Id)"))

    def step(context: Context) -> None:
        assert context.subscription is not None, "without one, `quota` does nothing"
        start = BEGINNING if by_key else context.subscription.started
        if not window.spend(key(context), start=start):
            raise Failure(
                element.tag, "QuotaExceeded", 403, {"Retry-After": str(window.retry_after(start))}
            )

    return step


def check_header(loader: Loader, element: ET.Element, section: str, scope: str) -> Step:
    name, status = element.attrib["name"], int(element.attrib["failed-check-httpcode"])
    if element.get("ignore-case") != "true" or any(
        is_expression(value.text or "") for value in element
    ):
        raise Unsupported("check-header with regard to case, or of an expression")
    allowed = {(value.text or "").lower() for value in element}

    def step(context: Context) -> None:
        if not context.request.headers.get(name):
            raise Failure("check-header", "HeaderNotFound", status)
        if allowed and context.request.headers[name].lower() not in allowed:
            raise Failure("check-header", "HeaderValueNotAllowed", status)

    return step


def _number(text: str, least: int, most: float) -> int:
    if not least <= int(text) <= most:
        raise Unsupported(f"{text} is not between {least} and {most}")
    return int(text)
