"""Watches two deployments while a share of the traffic is held, and judges them at each look."""

from __future__ import annotations

from dataclasses import dataclass

from mlops.endpoint import Endpoint
from mlops.rollout.agreement import Agreement
from mlops.rollout.finding import Finding
from mlops.rollout.judge import is_out, judge
from mlops.rollout.plan import Plan
from mlops.rollout.request_tally import RequestTally
from mlops.rollout.rules import Rules


@dataclass(frozen=True)
class Look:
    """What a look has found, of the requests to both deployments since the step began.
    ``controlled``: whether clients still ask the old one."""

    findings: list[Finding]
    new: RequestTally
    old: RequestTally
    controlled: bool

    @property
    def fewest(self) -> int:
        """Requests of the deployment that had fewer, of those that are judged."""
        return min(self.new.total, self.old.total) if self.controlled else self.new.total

    @property
    def old_is_out(self) -> bool:
        return is_out(self.old)


class Watch:
    """Looks at an endpoint. The warm-up begins with the first request that the new deployment gets
    while it is watched."""

    def __init__(self, endpoint: Endpoint, rules: Rules) -> None:
        self._endpoint = endpoint
        self._rules = rules
        self._warm_at: float | None = None

    def look(
        self, plan: Plan, since: float, agreement: Agreement | None, *, controlled: bool
    ) -> Look:
        """Judge the requests since ``since``. Raises EndpointError."""
        blocks = self._endpoint.blocks(since)
        new, old = (
            RequestTally.of(block for block in blocks if block.deployment == name)
            for name in (plan.new, plan.old)
        )
        if self._warm_at is None and new.total:
            self._warm_at = float(new.at[0]) + self._rules.warm_up_s
        findings = judge(
            new,
            old if controlled else None,
            agreement,
            self._rules,
            warm_at=since if self._warm_at is None else self._warm_at,
        )
        return Look(findings, new, old, controlled)
