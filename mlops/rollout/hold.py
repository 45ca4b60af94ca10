"""Decides, at each look, whether a share of the traffic is held on, or is the last."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from mlops.rollout.finding import Finding, Standing


class Decision(StrEnum):
    PROVEN = "proven"
    WAIT = "wait"
    BREACH = "breach"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Hold:
    """How long a share is held: ``least_s`` at least; ``patience_s`` at most, None for any time.

    ``keeping``: every share was proven already. Then a breach ends it, and what is suspect is only
    waited for.
    """

    least_s: float
    patience_s: float | None
    keeping: bool = False

    def decide(self, findings: Sequence[Finding], elapsed_s: float) -> Decision:
        standings = {finding.standing for finding in findings}
        if Standing.BREACH in standings:
            return Decision.BREACH
        missing = {Standing.SUSPECT} if self.keeping else {Standing.SUSPECT, Standing.OPEN}
        if elapsed_s >= self.least_s and not standings & missing:
            return Decision.PROVEN
        if self.patience_s is not None and elapsed_s >= max(self.patience_s, self.least_s):
            return Decision.PROVEN if self.keeping else Decision.INCONCLUSIVE
        return Decision.WAIT


def undecided(findings: Sequence[Finding], requests: int, wanted: int, elapsed_s: float) -> str:
    """Say what is open after ``elapsed_s``, and what would decide it. ``requests``: of the
    deployment that had fewer."""
    texts = [
        finding.text
        for finding in findings
        if finding.standing in (Standing.OPEN, Standing.SUSPECT)
    ]
    return f"{'; '.join(texts)}; {_remedy(requests, wanted, elapsed_s)}"


def _remedy(requests: int, wanted: int, elapsed_s: float) -> str:
    if requests >= wanted:
        return "more requests would decide it: run this again, to go on at this step"
    if not requests:
        return "no requests came, so nothing can be judged"
    minutes = math.ceil((wanted - requests) / requests * elapsed_s / 60)
    return (
        f"{wanted - requests} requests more would take about {minutes} min: give them by "
        f"--patience-minutes or --inconclusive wait, or be content with fewer by --requests"
    )
