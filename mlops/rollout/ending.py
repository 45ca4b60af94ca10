"""Ends a rollout once every step was proven. No failure here brings the old deployment back."""

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
    """Record in the tags how the rollout ended, lower the new deployment's minimum of instances,
    and delete the old deployment.

    ``delete``: False if a process that may have been deleting it has died.
    """
    held, deletes = plan.last.action is Action.LIVE, plan.steps[-1].action is Action.DELETE
    outcome, phase = (
        (RolloutOutcome.HELD, RolloutPhase.HELD)
        if held
        else (RolloutOutcome.PROMOTED, RolloutPhase.PROMOTED)
    )
    try:
        unrecorded = _record(endpoint, claim, phase, plan.traffic(plan.last))
        left = [*unrecorded, *_lower_minimum(endpoint, plan)]
        if deletes and delete and not unrecorded:
            left += _delete(endpoint, plan, claim)
        else:
            left.append(plan.old if delete or not deletes else f"{plan.old}, perhaps being deleted")
    except Overtaken as other:
        return note_overtaken(journal, other, reason)
    journal.note("ended", outcome=outcome, reason=reason, left=left)
    return outcome


def _record(
    endpoint: Endpoint, claim: EndpointClaim, phase: RolloutPhase, traffic: Traffic
) -> list[str]:
    """Record the end; return what is left if that fails. Raises Overtaken."""
    try:
        claim.end(phase, traffic)
    except Overtaken:
        raise
    except EndpointError as error:
        return [f"the tags of {endpoint.name}, which may say {RolloutPhase.ROLLING}: {error}"]
    return []


def _lower_minimum(endpoint: Endpoint, plan: Plan) -> list[str]:
    """Lower the minimum to the old deployment's own; return what is left if that fails."""
    try:
        endpoint.copy_autoscale(plan.old, plan.new)
    except EndpointError as error:
        return [f"the raised minimum of {plan.new}'s autoscale setting: {error}"]
    return []


def _delete(endpoint: Endpoint, plan: Plan, claim: EndpointClaim) -> list[str]:
    """Delete the old deployment; return what is left if that fails. Raises Overtaken if somebody
    has rolled back to it meanwhile."""
    claim.check(RolloutPhase.PROMOTED)
    try:
        endpoint.delete(plan.old)
    except EndpointError as error:
        claim.check(RolloutPhase.PROMOTED)
        return [f"{plan.old}, which could not be deleted: {error}"]
    return []
