"""Which policy may stand where, and which tier has it.

Of the policies' own pages, ``https://learn.microsoft.com/azure/api-management/<name>-policy``
("Usage"), and of the columns of
https://learn.microsoft.com/azure/api-management/api-management-policies.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass

EVERYWHERE = frozenset({"inbound", "backend", "outbound", "on-error"})
ANY_SCOPE = frozenset({"global", "workspace", "product", "api", "operation"})
ALL_TIERS = frozenset({"classic", "v2", "consumption"})


@dataclass(frozen=True)
class Rule:
    sections: frozenset[str]
    attributes: frozenset[str]
    """Those that are written here, of those that there are."""
    tiers: frozenset[str] = ALL_TIERS
    scopes: frozenset[str] = ANY_SCOPE


def _rule(sections: frozenset[str], *attributes: str, **rest: frozenset[str]) -> Rule:
    return Rule(sections, frozenset(attributes), **rest)


INBOUND, BACKEND = frozenset({"inbound"}), frozenset({"backend"})
RULES = {
    "authentication-managed-identity": _rule(INBOUND, "resource"),
    "cache-lookup-value": _rule(
        EVERYWHERE, "key", "variable-name", "default-value", "caching-type"
    ),
    "cache-store-value": _rule(EVERYWHERE, "key", "value", "duration", "caching-type"),
    "check-header": _rule(
        INBOUND, "name", "failed-check-httpcode", "failed-check-error-message", "ignore-case"
    ),
    "choose": _rule(EVERYWHERE),
    "cors": _rule(INBOUND, "allow-credentials", "terminate-unmatched-request"),
    "forward-request": _rule(BACKEND, "timeout"),
    "include-fragment": _rule(EVERYWHERE, "fragment-id"),
    "quota": _rule(INBOUND, "calls", "renewal-period", scopes=frozenset({"product"})),
    "quota-by-key": _rule(
        INBOUND, "calls", "renewal-period", "counter-key", tiers=frozenset({"classic"})
    ),
    "rate-limit-by-key": _rule(
        INBOUND,
        "calls",
        "renewal-period",
        "counter-key",
        "remaining-calls-header-name",
        "total-calls-header-name",
        tiers=frozenset({"classic", "v2"}),
    ),
    "return-response": _rule(EVERYWHERE),
    "rewrite-uri": _rule(INBOUND, "template"),
    "set-backend-service": _rule(INBOUND | BACKEND, "backend-id"),
    "set-body": _rule(INBOUND | BACKEND | frozenset({"outbound"})),
    "set-header": _rule(EVERYWHERE, "name", "exists-action"),
    "set-method": _rule(INBOUND | frozenset({"on-error"})),
    "set-query-parameter": _rule(INBOUND | BACKEND, "name", "exists-action"),
    "set-status": _rule(EVERYWHERE, "code", "reason"),
    "set-variable": _rule(EVERYWHERE, "name", "value"),
}

SKUS = {
    "Consumption": "consumption",
    "Developer": "classic",
    "Basic": "classic",
    "Standard": "classic",
    "Premium": "classic",
    "BasicV2": "v2",
    "StandardV2": "v2",
    "PremiumV2": "v2",
}
"""Terraform's ``sku_name`` without the units, and the column it falls under."""


def not_in_tier(document: ET.Element, sku: str) -> list[str]:
    """The policies of a document that instances of ``sku`` (``StandardV2_1``) refuse."""
    tier = SKUS[sku.partition("_")[0]]
    used = {element.tag for element in document.iter()} & RULES.keys()
    return sorted(name for name in used if tier not in RULES[name].tiers)
