"""Checks that an endpoint is free for a rollout."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlops.endpoint import EndpointError, Status
from mlops.rollout.claim import check_free
from mlops.rollout.events import Event
from mlops.rollout.plan import Plan
from mlops.rollout.record import RolloutPhase


def start_check(
    endpoint: str, plan: Plan, runs: set[str], earlier: Sequence[Event]
) -> Callable[[Status], None]:
    """Return the check; it raises EndpointError.

    ``runs``: those that may have the endpoint. ``earlier``: says how much traffic the new
    deployment may have by now.
    """
    begun = max((event["step"]["percent"] for event in earlier if "step" in event), default=0)
    old, new = plan.old, plan.new

    def check(status: Status) -> None:
        record = check_free(status, endpoint, runs)
        live = status.traffic.without_zeros().live
        if (
            record
            and record.phase is RolloutPhase.ROLLING
            and (record.old, record.new) != (old, new)
        ):
            raise EndpointError(
                f"A rollout {record.old} to {record.new} of {endpoint} was cut off; run that "
                f"again, or end it: mlops rollback {endpoint}."
            )
        if not live or live.get(new, 0) > begun or live.keys() - {old, new}:
            raise EndpointError(
                f"The traffic is {live}, which this rollout did not bring about; give {old} "
                f"100 first: mlops rollback {endpoint}, or mlops rollback {endpoint} --to {old}."
            )

    return check
