"""Rolls out on simulated traffic: the real plan, judge and decisions, without an endpoint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.signals.simulated_traffic import Case, Traffic, shares
from mlops.rollout.finding import Finding, Standing
from mlops.rollout.hold import Decision
from mlops.rollout.judge import judge
from mlops.rollout.plan import COMPARING_ACTIONS, Plan, steps
from mlops.rollout.rules import Rules
from mlops.traffic_blocks import BLOCK_S

PLAN = Plan("old", "new", steps())
CHUNK_S = 600
"""Blocks are drawn for so long at once."""

LONGEST_S = len(PLAN.steps) * PLAN.patience_s + CHUNK_S


@dataclass(frozen=True)
class Result:
    """How one rollout ended, after how long, and how many clients had been answered by the new
    deployment."""

    decision: Decision
    step: str
    minutes: float
    exposed: float
    breaches: tuple[str, ...] = ()


def roll_out(
    case: Case,
    rate: float,
    rng: np.random.Generator,
    plan: Plan = PLAN,
    rules: Rules | None = None,
    look_s: float = BLOCK_S,
) -> Result:
    """Roll out once at ``rate`` requests a second."""
    rules = rules or Rules()
    traffic, now, exposed = Traffic(case, rate, rng, LONGEST_S), 0.0, 0.0
    for step in plan.steps:
        if step.action not in COMPARING_ACTIONS:
            continue
        split, hold = plan.traffic(step), plan.hold(step)
        parts = {name: shares(split.live, split.mirror, name) for name in (plan.new, plan.old)}
        drawn = dict.fromkeys(parts)
        elapsed, decision, until = 0.0, Decision.WAIT, now
        findings: list[Finding] = []
        while decision is Decision.WAIT:
            elapsed += look_s
            if now + elapsed > until:
                for name, share in parts.items():
                    more = traffic.tally(name, share, until, until + CHUNK_S)
                    drawn[name] = more if drawn[name] is None else drawn[name].followed_by(more)
                until += CHUNK_S
            looked = {name: tally.until(now + elapsed) for name, tally in drawn.items()}
            findings = judge(looked["new"], looked["old"], None, rules, warm_at=rules.warm_up_s)
            decision = hold.decide(findings, elapsed)
        now += elapsed
        exposed += rate * elapsed * split.live.get(plan.new, 0) / 100
        if decision is not Decision.PROVEN:
            why = tuple(each.check for each in findings if each.standing is Standing.BREACH)
            return Result(decision, str(step), now / 60, exposed, why)
    return Result(Decision.PROVEN, "", now / 60, exposed)
