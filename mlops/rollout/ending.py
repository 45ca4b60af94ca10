"""What is left to do once every step was proven. Nothing that fails here brings the old deployment
back."""

from __future__ import annotations

from mlops.endpoint import Endpoint, EndpointError, Traffic
from mlops.rollout.claim import EndpointClaim, Overtaken
from mlops.rollout.journal import Journal, RolloutOutcome
from mlops.rollout.plan import Action, Plan
from mlops.rollout.record import RolloutPhase
from mlops.rollout.way_back import note_overtaken


def end(
    endpoint: Endpoint,
    plan: Plan,
    journal: Journal,
    claim: EndpointClaim,
    reason: str,
    *,
    delete: bool = True,
) -> RolloutOutcome:
    """Write into the tags how it ended, lower the new deployment's minimum of instances, delete the
    old deployment.

    Not ``delete``: whoever did that before has died meanwhile.
    """
    held, deletes = plan.last.action is Action.LIVE, plan.steps[-1].action is Action.DELETE
    outcome, phase = (
        (RolloutOutcome.HELD, RolloutPhase.HELD)
        if held
        else (RolloutOutcome.PROMOTED, RolloutPhase.PROMOTED)
    )
    try:
        untold = _tell(endpoint, claim, phase, plan.traffic(plan.last))
        left = [*untold, *_lower_minimum(endpoint, plan)]
        if deletes and delete and not untold:
            left += _delete(endpoint, plan, claim)
        else:
            left.append(plan.old if delete or not deletes else f"{plan.old}, perhaps being deleted")
    except Overtaken as other:
        return note_overtaken(journal, other, reason)
    journal.note("ended", outcome=outcome, reason=reason, left=left)
    return outcome


def _tell(
    endpoint: Endpoint, claim: EndpointClaim, phase: RolloutPhase, traffic: Traffic
) -> list[str]:
    """-> what is left where that fails. Raises Overtaken."""
    try:
        claim.end(phase, traffic)
    except Overtaken:
        raise
    except EndpointError as error:
        return [f"the tags of {endpoint.name}, which may say {RolloutPhase.ROLLING}: {error}"]
    return []


def _lower_minimum(endpoint: Endpoint, plan: Plan) -> list[str]:
    """To the old deployment's own; -> what is left where that fails."""
    try:
        endpoint.copy_autoscale(plan.old, plan.new)
    except EndpointError as error:
        return [f"the raised minimum of {plan.new}'s autoscale setting: {error}"]
    return []


def _delete(endpoint: Endpoint, plan: Plan, claim: EndpointClaim) -> list[str]:
    """-> what is left where that fails. Raises Overtaken where somebody has rolled back meanwhile,
    to what is being deleted."""
    claim.check(RolloutPhase.PROMOTED)
    try:
        endpoint.delete(plan.old)
    except EndpointError as error:
        claim.check(RolloutPhase.PROMOTED)
        return [f"{plan.old}, which could not be deleted: {error}"]
    return []
