"""Judges whether the new deployment keeps the SLO and is as good as the old one.

This needs no network and no clock. A check is open until there are enough requests, then fine or a
breach. A breach is hardly ever chance: its p-value is below ``Rules.chance``, which is small
because there are many looks. A waived check does not hold up the rollout, but is reported.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from mlops.rollout import significance
from mlops.rollout.agreement import Agreement, AgreementVerdict, sentence
from mlops.rollout.request_tally import QUANTILES, RequestTally
from mlops.slo import Slo


@dataclass(frozen=True)
class Rules:
    """What is demanded of the new deployment. ``requests``: how many each deployment must have had
    before anything is fine. ``slower_by``, ``slower_by_ms``: how much slower than the old one it
    may be, as a share and on top of that. ``agreement``: share of equal predictions."""

    slo: Slo = field(default_factory=Slo)
    requests: int = 500
    slower_by: float = 0.25
    slower_by_ms: float = 10
    agreement: float = 0.95
    chance: float = 0.001


class Standing(StrEnum):
    OPEN = "open"
    FINE = "fine"
    BREACH = "breach"
    UNCHECKED = "unchecked"


@dataclass(frozen=True)
class Finding:
    check: str
    standing: Standing
    text: str


def judge(
    new: RequestTally,
    old: RequestTally,
    agreement: Agreement | None,
    rules: Rules,
) -> list[Finding]:
    """Return the finding of each check. ``agreement``: None if predictions are not compared."""
    findings = [_requests(new, old, rules), _errors(new, rules), *_versus(new, old, rules)]
    findings += [_latency(new, name, rules) for name in QUANTILES]
    findings += [_slower(new, old, name, rules) for name in QUANTILES]
    return [*findings, predictions(agreement, rules)]


def breaches(findings: Sequence[Finding]) -> list[str]:
    return [finding.text for finding in findings if finding.standing is Standing.BREACH]


def proven(findings: Sequence[Finding]) -> bool:
    return all(finding.standing in (Standing.FINE, Standing.UNCHECKED) for finding in findings)


def _requests(new: RequestTally, old: RequestTally, rules: Rules) -> Finding:
    fewest = min(new.requests, old.requests)
    standing = Standing.FINE if fewest >= rules.requests else Standing.OPEN
    return Finding("requests", standing, f"{new.requests} requests, {old.requests} to the old one")


def _errors(new: RequestTally, rules: Rules) -> Finding:
    limit = rules.slo.error_rate
    text = (
        f"errors {_percent(new.failed, new.requests)} of {new.requests} requests (SLO {limit:.2%})"
    )
    chance = significance.rate_above(new.failed, new.requests, limit)
    return Finding(
        "errors", _standing(chance, rules, within=new.failed <= limit * new.requests), text
    )


def _versus(new: RequestTally, old: RequestTally, rules: Rules) -> Iterable[Finding]:
    for check, count, other in (
        ("errors", new.failed, old.failed),
        ("refusals", new.refused, old.refused),
    ):
        text = (
            f"{check} {_percent(count, new.requests)} against "
            f"{_percent(other, old.requests)} of the old one"
        )
        chance = significance.rate_higher(count, new.requests, other, old.requests)
        yield Finding(f"{check} against the old one", _standing(chance, rules, within=True), text)


def _latency(new: RequestTally, name: str, rules: Rules) -> Finding:
    limit, quantile = rules.slo.limit(name), QUANTILES[name]
    measured = new.quantile(quantile)
    chance = significance.quantile_above(new.latencies, quantile, limit)
    return Finding(
        name,
        _standing(chance, rules, within=measured <= limit),
        f"{name} {_ms(measured)} (SLO {limit:g} ms)",
    )


def _slower(new: RequestTally, old: RequestTally, name: str, rules: Rules) -> Finding:
    quantile = QUANTILES[name]
    allowed = old.latencies * (1 + rules.slower_by) + rules.slower_by_ms
    chance = significance.quantile_higher(new.latencies, allowed, quantile)
    text = (
        f"{name} {_ms(new.quantile(quantile))} against {_ms(old.quantile(quantile))} of the old one"
    )
    return Finding(f"{name} against the old one", _standing(chance, rules, within=True), text)


def predictions(agreement: Agreement | None, rules: Rules) -> Finding:
    """Judge the predictions for the same rows; None if they are not compared."""
    if agreement is None:
        return Finding("predictions", Standing.UNCHECKED, "not compared")
    standing = {
        AgreementVerdict.AGREE: Standing.FINE,
        AgreementVerdict.DIFFER: Standing.BREACH,
        AgreementVerdict.UNDECIDED: Standing.OPEN,
    }[agreement.verdict(rules.agreement)]
    return Finding("predictions", standing, sentence(agreement, rules.agreement))


def _standing(chance: float, rules: Rules, *, within: bool) -> Standing:
    if chance < rules.chance:
        return Standing.BREACH
    return Standing.FINE if within else Standing.OPEN


def _ms(value: float) -> str:
    return "unknown" if math.isnan(value) else f"{value:.1f} ms"


def _percent(count: int, requests: int) -> str:
    return f"{count / requests:.2%}" if requests else "none"
