"""Turns the XML of policies into functions of a ``Context`` before any runs, and refuses what is
not known."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apim.cors import Cors
from apim.counters import Clock, FixedWindow
from apim.csharp import compiled, is_expression
from apim.dotnet import STATIC, Members, Thrown, Unsupported
from apim.messages import Context, Failure, Request, Response
from apim.rules import EVERYWHERE, RULES

Step = Callable[[Context], None]
Value = Callable[[Context], Any]
WITH_TEXT = {"set-body", "set-method"}
Backend = Callable[[Request, float], Response]
"""Of a request and the seconds it may take. Raises TimeoutError, ConnectionError and
CircuitOpen."""


class CircuitOpen(Exception):
    """The backend's circuit breaker has tripped: https://learn.microsoft.com/azure/api-management/backends."""


@dataclass(frozen=True)
class Services:
    """What an API Management instance has beside its policies."""

    now: Clock
    backends: Mapping[str, Backend]
    token: Callable[[str], str]
    """Of a resource, for the instance's managed identity."""


@dataclass
class Loader:
    """Loads the documents of one API."""

    services: Services
    factories: Mapping[str, Factory]
    fragments: Mapping[str, ET.Element]
    cors: Cors | None = None
    quotas: list[FixedWindow] = field(default_factory=list)
    cached: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    """Values of the internal cache, with the moment until which they are kept."""

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
        if rule is None or element.tag not in self.factories:
            raise Unsupported(f"policy {element.tag}")
        if section not in rule.sections or scope not in rule.scopes:
            raise Unsupported(f"{element.tag} in {section} of {scope}")
        if unknown := set(element.keys()) - rule.attributes:
            raise Unsupported(f"{element.tag} with {unknown}")
        if (text := (element.text or "").strip()) and element.tag not in WITH_TEXT:
            raise Unsupported(f"{element.tag} with {text}")
        run = self.factories[element.tag](self, element, section, scope)

        def step(context: Context) -> None:
            try:
                run(context)
            except Thrown as error:
                raise Failure(element.tag, "ExpressionValueEvaluationFailure", 500) from error

        return step

    def steps(self, parent: ET.Element, section: str, scope: str) -> list[Step]:
        return [self.step(element, section, scope) for element in parent]

    def value(self, text: str) -> Value:
        """A literal, or an expression, as a function of the context."""
        if not is_expression(text.strip()):
            if "{{" in text or "${" in text:
                raise Unsupported(f"not filled in: {text}")
            return lambda context: text
        run = compiled(text.strip())
        now = self.services.now
        return lambda context: run(
            {"context": context, "DateTime": Members({"UtcNow": now()}), **STATIC}
        )


Factory = Callable[[Loader, ET.Element, str, str], Step]
"""Of a policy's element, its section and its scope."""


def run(steps: list[Step], context: Context) -> None:
    for step in steps:
        step(context)
