"""Rules for online endpoints that azure-ai-ml does not hold them to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from mlops.check.document import Document, Problem
from mlops.check.kind import Kind, on_kubernetes

NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9]*(-[a-zA-Z0-9]+)*")
MOST_MIRRORED = 50
"""Percent."""


def name(document: Document) -> Iterator[Problem]:
    """Azure's rule for endpoints and deployments."""
    given = document.typed(str, "name")
    if given is not None and not (3 <= len(given) <= 32 and NAME.fullmatch(given)):
        yield document.problem(
            ("name",),
            "is not a name that Azure takes",
            "write 3 to 32 letters, digits and single dashes, a letter first",
        )


def traffic(document: Document) -> Iterator[Problem]:
    shares = _shares(document, "traffic")
    for deployment in (name for name, share in shares.items() if share < 0):
        yield document.problem(("traffic", deployment), "is negative", "write 0 to 100")
    if shares and sum(shares.values()) not in (0, 100):
        yield document.problem(
            ("traffic",),
            f"adds up to {sum(shares.values())} %",
            "make it 100, or 0 for an endpoint that is closed",
        )


def mirror_traffic(document: Document) -> Iterator[Problem]:
    key = ("mirror_traffic",)
    mirrored = _shares(document, *key)
    if document.value(*key) and on_kubernetes(document):
        yield document.problem(key, "does not exist on Kubernetes", "remove it")
        return
    if len(mirrored) > 1:
        yield document.problem(key, f"names {len(mirrored)} deployments", "keep one")
    for deployment, share in mirrored.items():
        if not 0 <= share <= MOST_MIRRORED:
            yield document.problem(
                (*key, deployment), f"is {share} %", f"write 0 to {MOST_MIRRORED}"
            )
        if share and _shares(document, "traffic").get(deployment):
            yield document.problem(
                (*key, deployment),
                "is a deployment with live traffic",
                "mirror to one that has none",
            )


def compute(document: Document) -> Iterator[Problem]:
    """It makes the difference between the two kinds of endpoints."""
    if on_kubernetes(document) and not document.value("compute"):
        yield document.problem(
            ("compute",), "is missing", "write azureml:NAME of the attached cluster"
        )
    if not on_kubernetes(document) and document.value("compute"):
        yield document.problem(
            ("compute",),
            "is for Kubernetes",
            f"remove it or write {Kind.KUBERNETES_ENDPOINT} in $schema",
        )


def auth_mode(document: Document) -> Iterator[Problem]:
    if on_kubernetes(document) and document.value("auth_mode") == "aad_token":
        yield document.problem(
            ("auth_mode",), "is aad_token, which is for managed endpoints", "write aml_token"
        )


def _shares(document: Document, key: str) -> dict[Any, int]:
    found = document.typed(dict, key) or {}
    return {name: share for name, share in found.items() if isinstance(share, int)}


RULES = (name, traffic, mirror_traffic, compute, auth_mode)
