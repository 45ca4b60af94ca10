"""Rules for online endpoints that azure-ai-ml does not check."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from mlops.check.document import Document, Problem
from mlops.check.kind import DocumentKind, on_kubernetes

NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9]*(-[a-zA-Z0-9]+)*")
MAX_MIRRORED_PERCENT = 50


def name(document: Document) -> Iterator[Problem]:
    """Require a name that Azure accepts for endpoints and deployments."""
    value = document.typed(str, "name")
    if value is not None and not (3 <= len(value) <= 32 and NAME.fullmatch(value)):
        yield document.problem(
            ("name",),
            "is not a name that Azure accepts",
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
        if not 0 <= share <= MAX_MIRRORED_PERCENT:
            yield document.problem(
                (*key, deployment), f"is {share} %", f"write 0 to {MAX_MIRRORED_PERCENT}"
            )
        if share and _shares(document, "traffic").get(deployment):
            yield document.problem(
                (*key, deployment),
                "is a deployment with live traffic",
                "mirror to one that has none",
            )


def compute(document: Document) -> Iterator[Problem]:
    """Require ``compute`` on Kubernetes only, where it tells the two kinds of endpoints apart."""
    if on_kubernetes(document) and not document.value("compute"):
        yield document.problem(
            ("compute",), "is missing", "write azureml:NAME of the attached cluster"
        )
    if not on_kubernetes(document) and document.value("compute"):
        yield document.problem(
            ("compute",),
            "is for Kubernetes",
            f"remove it or write {DocumentKind.KUBERNETES_ENDPOINT} in $schema",
        )


def auth_mode(document: Document) -> Iterator[Problem]:
    if on_kubernetes(document) and document.value("auth_mode") == "aad_token":
        yield document.problem(
            ("auth_mode",), "is aad_token, which is for managed endpoints", "write aml_token"
        )


def _shares(document: Document, key: str) -> dict[Any, int]:
    shares = document.typed(dict, key) or {}
    return {name: share for name, share in shares.items() if isinstance(share, int)}


RULES = (name, traffic, mirror_traffic, compute, auth_mode)
