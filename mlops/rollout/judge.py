"""Judges whether the new deployment keeps the SLO and is as good as the old one.

This needs no network and no clock. Both are judged by requests of the same time (event_shares.py).
A check that is neither fine nor a breach is open for lack of requests, or suspect.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from mlops.rollout.agreement import Agreement, AgreementVerdict, sentence
from mlops.rollout.dependence import BlockCounts
from mlops.rollout.event_shares import higher, objective
from mlops.rollout.finding import Finding, Standing
from mlops.rollout.request_tally import QUANTILES, RequestTally
from mlops.rollout.rules import Rules

OUTAGE_BLOCKS = 2
MIN_OUTAGE_FAILURES = 3

COMPARED_QUANTILES = {**QUANTILES, "P99.9": 0.999}
"""The last one shows what befalls less than a hundredth of the requests."""


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
    return objective("errors", text, new.failures(), others, limit, rules)


def _versus(new: RequestTally, old: RequestTally, rules: Rules) -> Iterable[Finding]:
    for check, counts, others in (
        ("errors", new.failures(), old.failures()),
        ("refusals", new.refusals(), old.refusals()),
    ):
        text = f"{check} {_percent(counts)} against {_percent(others)} of the old one"
        yield Finding(f"{check} against the old one", higher(counts, others, rules), text)


def _warm_up(cold: RequestTally, old: RequestTally | None, rules: Rules) -> Finding:
    """Judge the warm-up: its P95 may be as high as any P99 may be, or as the old one's."""
    limit = rules.slo.p99_ms
    text = f"P95 {_ms(cold.quantile(0.95))} in the warm-up (at most {limit:g} ms)"
    others = old.slower_than(limit) if old else None
    finding = objective("warm-up", text, cold.slower_than(limit), others, 1 - 0.95, rules)
    breach = finding.standing is Standing.BREACH
    return finding if breach else replace(finding, standing=Standing.FINE)


def _latency(new: RequestTally, old: RequestTally | None, name: str, rules: Rules) -> Finding:
    limit, quantile = rules.slo.limit(name), QUANTILES[name]
    text = f"{name} {_ms(new.quantile(quantile))} (SLO {limit:g} ms)"
    others = old.slower_than(limit) if old else None
    return objective(name, text, new.slower_than(limit), others, 1 - quantile, rules)


def _slower(new: RequestTally, old: RequestTally, name: str, rules: Rules) -> Finding:
    """Compare how many lie beyond the old one's quantile: of the new one, beyond what is
    allowed."""
    quantile = COMPARED_QUANTILES[name]
    before = old.quantile(quantile)
    text = f"{name} {_ms(new.quantile(quantile))} against {_ms(before)} of the old one"
    standing = Standing.OPEN
    if not math.isnan(before):
        allowed = before * (1 + rules.slower_by) + rules.slower_by_ms
        standing = higher(new.slower_than(allowed), old.slower_than(before), rules)
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


def _ms(value: float) -> str:
    return "unknown" if math.isnan(value) else f"{value:.1f} ms"


def _percent(counts: BlockCounts) -> str:
    total = counts.requests.sum()
    return f"{counts.events.sum() / total:.2%}" if total else "none"
