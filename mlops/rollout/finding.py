"""What a check of the new deployment found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    OPEN = "open"
    SUSPECT = "suspect"
    FINE = "fine"
    BREACH = "breach"
    UNCHECKED = "unchecked"


@dataclass(frozen=True)
class Finding:
    check: str
    standing: Standing
    text: str


def breaches(findings: Sequence[Finding]) -> list[str]:
    return [finding.text for finding in findings if finding.standing is Standing.BREACH]
