"""What the traffic of an endpoint can prove, and in which time, by the judge's own tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mlops.rollout.judge import COMPARED_QUANTILES
from mlops.rollout.plan import COMPARING_ACTIONS, Plan, Step
from mlops.rollout.request_tally import RequestTally
from mlops.rollout.rules import Rules
from mlops.rollout.significance import evidence, p_value
from mlops.traffic_blocks import LATENCY_RATIO


@dataclass(frozen=True)
class Usual:
    """What is usual on the old deployment. ``rate``: requests a second. ``failing``: share that
    fails. ``histogram``: the share of the successful ones in each bin of latency."""

    rate: float
    failing: float
    histogram: np.ndarray

    @classmethod
    def of(cls, tally: RequestTally, seconds: float) -> Usual:
        histogram = tally.histogram.sum(axis=0)
        return cls(
            tally.total / seconds,
            float(tally.failed.sum() / max(tally.total, 1)),
            histogram / max(histogram.sum(), 1),
        )

    def beyond(self, limit_ms: float, slower: float = 1.0, hanging: float = 0.0) -> float:
        """Return the share that takes longer than ``limit_ms`` if all take ``slower`` times as long
        and some hang."""
        middles = slower * LATENCY_RATIO ** np.arange(self.histogram.size)
        return hanging + (1 - hanging) * float(self.histogram[middles > limit_ms].sum())

    def quantile_ms(self, quantile: float) -> float:
        return float(LATENCY_RATIO ** np.searchsorted(self.histogram.cumsum(), quantile - 1e-9))


Shares = tuple[float, float]
"""Of the new deployment and of the old one."""


def lines(usual: Usual, plan: Plan, rules: Rules) -> list[str]:
    """Say what is found when, one change for the worse a line."""
    tested = [step for step in plan.steps if step.action in COMPARING_ACTIONS]
    parts = [part for step in tested for part in _shares(plan, step) if part]
    floor_s = rules.requests / (min(parts) * usual.rate) if parts else float("inf")
    return [
        f"{usual.rate:.3g} requests a second, {usual.failing:.2%} of them fail, "
        f"P99 {usual.quantile_ms(0.99):.0f} ms",
        f"{rules.requests} requests to each deployment: {_time(floor_s)} in the slowest step",
        *(
            f"{what}: {_found(usual, plan, rules, tested, pairs)}"
            for what, pairs in _changes(usual, rules)
        ),
    ]


def _changes(usual: Usual, rules: Rules) -> Iterator[tuple[str, list[Shares]]]:
    """Yield changes, and the shares of events that the checks would compare."""
    for points in (0.5, 1, 5):
        yield f"errors +{points:g} points", [(usual.failing + points / 100, usual.failing)]
    for what, changed in (
        ("latency x1.3", {"slower": 1.3}),
        ("latency x2", {"slower": 2.0}),
        ("1 % hang", {"hanging": 0.01}),
    ):
        pairs = []
        for quantile in COMPARED_QUANTILES.values():
            before = usual.quantile_ms(quantile)
            allowed = before * (1 + rules.slower_by) + rules.slower_by_ms
            pairs.append((usual.beyond(allowed, **changed), usual.beyond(before)))
        yield what, pairs


def _found(usual: Usual, plan: Plan, rules: Rules, tested: list[Step], pairs: list[Shares]) -> str:
    """Say in which step a change is found, and after how long."""
    for step in tested:
        hold = plan.hold(step)
        new, old = (usual.rate * share for share in _shares(plan, step))
        if not (new and old):
            continue
        ends = max(hold.least_s, 0 if hold.keeping else rules.requests / min(new, old))
        times = [
            _seconds((new, old), pair, rules, ends, max(plan.patience_s, ends)) for pair in pairs
        ]
        if known := [time for time in times if time is not None]:
            return f"found in {_time(min(known))}, at {step}"
    return "never found"


def _seconds(
    rates: Shares, pair: Shares, rules: Rules, ends: float, patience_s: float
) -> float | None:
    """Return after how many seconds the expected counts are a breach; None if the step ends before.
    ``ends``: when it does unless they are suspect."""
    share = rates[0] / sum(rates)

    def counts(seconds: float) -> tuple[float, float]:
        events, others = (rate * seconds * part for rate, part in zip(rates, pair, strict=True))
        return events, events + others

    def breach(seconds: float) -> bool:
        return evidence(*counts(seconds), share) >= 1 / rules.chance

    suspect = p_value(*counts(ends), share) < rules.suspicion
    most = patience_s if suspect else ends
    if pair[0] <= pair[1] or not breach(most):
        return None
    return _first(breach, rules.min_blocks * rules.block_s, most)


def _first(holds: Callable[[float], bool], least: float, most: float) -> float:
    """Return from where on a condition holds, within a second."""
    while most - least > 1:
        middle = (least + most) / 2
        least, most = (least, middle) if holds(middle) else (middle, most)
    return most


def _shares(plan: Plan, step: Step) -> tuple[float, float]:
    split = plan.traffic(step)
    new = split.live.get(plan.new, 0) + split.mirror.get(plan.new, 0)
    return new / 100, split.live.get(plan.old, 0) / 100


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 24 * 3600 else "more than a day"
