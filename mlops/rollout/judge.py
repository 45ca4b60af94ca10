"""Judges whether the new deployment keeps the SLO and is as good as the old one.

This needs no network and no clock. Both are judged by requests of the same time. A breach is hardly
ever chance, however often one looks, and not one pause or slow spell either (significance.py,
dependence.py). A check that is neither fine nor a breach is open for lack of requests, or suspect.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from mlops.rollout.agreement import Agreement, AgreementVerdict, sentence
from mlops.rollout.dependence import BlockCounts
from mlops.rollout.request_tally import QUANTILES, RequestTally
from mlops.rollout.significance import evidence, p_value
from mlops.slo import Slo

OUTAGE_BLOCKS = 2
MIN_OUTAGE_FAILURES = 3

COMPARED_QUANTILES = {**QUANTILES, "P99.9": 0.999}
"""The last one shows what befalls less than a hundredth of the requests."""


@dataclass(frozen=True)
class Rules:
    """What is demanded of the new deployment. ``requests``: how many each deployment must have had
    before anything is fine. ``slower_by``, ``slower_by_ms``: how much slower than the old one it
    may be, as a share and on top of that. ``agreement``: share of equal predictions.

    ``chance``: how often a check may take chance for a breach in a step. ``suspicion``: p-value
    below which a check is not fine. ``block_s``: latencies are compared by blocks of this length.
    ``min_blocks``: fewer do not show how much they differ by chance. ``warm_up_s``: for how long
    the first requests may be slow.
    """

    slo: Slo = field(default_factory=Slo)
    requests: int = 500
    slower_by: float = 0.25
    slower_by_ms: float = 10
    agreement: float = 0.95
    chance: float = 0.001
    suspicion: float = 0.05
    block_s: float = 30
    min_blocks: int = 4
    warm_up_s: float = 60

    def paced(self, hold_s: float) -> Rules:
        """Adapt to shares that are held for less than so many blocks."""
        return replace(
            self,
            min_blocks=min(self.min_blocks, int(hold_s // self.block_s)),
            warm_up_s=min(self.warm_up_s, hold_s / 5),
        )


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


def judge(
    new: RequestTally,
    old: RequestTally | None,
    agreement: Agreement | None,
    rules: Rules,
    *,
    warm_at: float = -math.inf,
) -> list[Finding]:
    """Return the finding of each check.

    ``old``: None if no traffic is left to compare with. ``agreement``: None if predictions are not
    compared. ``warm_at``: when the warm-up ends; latencies count from then on.
    """
    findings = [_requests(new, old, rules), _outage(new), _errors(new, old, rules)]
    warm = new.since(warm_at).joined(rules.block_s)
    before = old.since(warm_at).joined(rules.block_s) if old else None
    if warm_at > -math.inf:
        findings.append(_warm_up(new.until(warm_at), old.until(warm_at) if old else None, rules))
    findings += [_latency(warm, before, name, rules) for name in QUANTILES]
    if old is None or before is None:
        findings.append(
            Finding("against the old one", Standing.UNCHECKED, "no traffic is left on the old one")
        )
    else:
        findings += _versus(new, old, rules)
        if is_out(old):
            findings.append(
                Finding("latency", Standing.UNCHECKED, "most requests to the old one fail")
            )
        else:
            findings += [_slower(warm, before, name, rules) for name in COMPARED_QUANTILES]
    return [*findings, predictions(agreement, rules)]


def breaches(findings: Sequence[Finding]) -> list[str]:
    return [finding.text for finding in findings if finding.standing is Standing.BREACH]


def is_out(tally: RequestTally) -> bool:
    """True if more than half of the requests failed in each of the last blocks."""
    last = np.flatnonzero(tally.requests)[-OUTAGE_BLOCKS:]
    failed, requests = tally.failed[last], tally.requests[last]
    return (
        last.size == OUTAGE_BLOCKS
        and failed.sum() >= MIN_OUTAGE_FAILURES
        and bool((2 * failed > requests).all())
    )


def _requests(new: RequestTally, old: RequestTally | None, rules: Rules) -> Finding:
    text = f"{new.total} requests"
    if old is not None:
        text += f", {old.total} to the old one"
    fewest = min(new.total, new.total if old is None else old.total)
    standing = Standing.FINE if fewest >= rules.requests else Standing.OPEN
    return Finding("requests", standing, f"{text} (at least {rules.requests} wanted)")


def _outage(new: RequestTally) -> Finding:
    standing = Standing.BREACH if is_out(new) else Standing.FINE
    text = f"errors: most of the last requests failed, {new.failed.sum():.0f} of {new.total} in all"
    return Finding("outage", standing, text)


def _errors(new: RequestTally, old: RequestTally | None, rules: Rules) -> Finding:
    limit = rules.slo.error_rate
    text = f"errors {_percent(new.failures())} of {new.total} requests (SLO {limit:.2%})"
    others = old.failures() if old else None
    return _objective("errors", text, new.failures(), others, limit, rules)


def _versus(new: RequestTally, old: RequestTally, rules: Rules) -> Iterable[Finding]:
    for check, counts, others in (
        ("errors", new.failures(), old.failures()),
        ("refusals", new.refusals(), old.refusals()),
    ):
        text = f"{check} {_percent(counts)} against {_percent(others)} of the old one"
        yield Finding(f"{check} against the old one", _higher(counts, others, rules), text)


def _warm_up(cold: RequestTally, old: RequestTally | None, rules: Rules) -> Finding:
    """Judge the warm-up: its P95 may be as high as any P99 may be, or as the old one's."""
    limit = rules.slo.p99_ms
    text = f"P95 {_ms(cold.quantile(0.95))} in the warm-up (at most {limit:g} ms)"
    others = old.slower_than(limit) if old else None
    finding = _objective("warm-up", text, cold.slower_than(limit), others, 1 - 0.95, rules)
    breach = finding.standing is Standing.BREACH
    return finding if breach else replace(finding, standing=Standing.FINE)


def _latency(new: RequestTally, old: RequestTally | None, name: str, rules: Rules) -> Finding:
    limit, quantile = rules.slo.limit(name), QUANTILES[name]
    text = f"{name} {_ms(new.quantile(quantile))} (SLO {limit:g} ms)"
    others = old.slower_than(limit) if old else None
    return _objective(name, text, new.slower_than(limit), others, 1 - quantile, rules)


def _objective(
    check: str,
    text: str,
    counts: BlockCounts,
    others: BlockCounts | None,
    limit: float,
    rules: Rules,
) -> Finding:
    """Judge whether the share of events is at most ``limit``. It is no breach if the old one's
    share is as large: to go back would not help."""
    standing = _within(counts, limit, rules)
    breach = standing is Standing.BREACH
    if breach and others is not None and _higher(counts, others, rules) is Standing.FINE:
        return Finding(check, Standing.SUSPECT, f"{text}; the old one is no better")
    return Finding(check, standing, text)


def _slower(new: RequestTally, old: RequestTally, name: str, rules: Rules) -> Finding:
    """Compare how many lie beyond the old one's quantile: of the new one, beyond what is
    allowed."""
    quantile = COMPARED_QUANTILES[name]
    before = old.quantile(quantile)
    text = f"{name} {_ms(new.quantile(quantile))} against {_ms(before)} of the old one"
    standing = Standing.OPEN
    if not math.isnan(before):
        allowed = before * (1 + rules.slower_by) + rules.slower_by_ms
        standing = _higher(new.slower_than(allowed), old.slower_than(before), rules)
    return Finding(f"{name} against the old one", standing, text)


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


def _within(counts: BlockCounts, limit: float, rules: Rules) -> Standing:
    """Judge whether the share of events is at most ``limit``."""
    if counts.blocks < max(rules.min_blocks, 1):
        return Standing.OPEN
    events, requests = counts.effective(counts.correlation())
    if evidence(events, requests, limit) >= 1 / rules.chance:
        return Standing.BREACH
    suspect = p_value(events, requests, limit) < rules.suspicion
    return Standing.SUSPECT if suspect else Standing.FINE


def _higher(counts: BlockCounts, others: BlockCounts, rules: Rules) -> Standing:
    """Judge whether the share of events is at most the other's: of all events, these then have as
    large a share as of all requests.

    A spell that only one of the two had counts as if either might have had it. A small p-value is
    not suspect if there are so many events that a real difference would have shown.
    """
    if min(counts.blocks, others.blocks) < max(rules.min_blocks, 1):
        return Standing.OPEN
    correlation = max(counts.correlation(), others.correlation())
    events, requests = counts.effective(correlation)
    other_events, other_requests = others.effective(correlation)
    both, share = events + other_events, requests / (requests + other_requests)
    against = evidence(events, both, share)
    if against >= 1 / rules.chance:
        return Standing.BREACH
    suspect = against >= 1 and p_value(events, both, share) < rules.suspicion
    return Standing.SUSPECT if suspect else Standing.FINE


def _ms(value: float) -> str:
    return "unknown" if math.isnan(value) else f"{value:.1f} ms"


def _percent(counts: BlockCounts) -> str:
    total = counts.requests.sum()
    return f"{counts.events.sum() / total:.2%}" if total else "none"
