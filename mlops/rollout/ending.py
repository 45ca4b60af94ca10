"""Ends a rollout once every step was proven, or where a person is to decide. No failure here brings
the old deployment back."""

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
    outcome: RolloutOutcome | None = None,
) -> RolloutOutcome:
    """End the control and record in the tags how the rollout ended; lower the new deployment's
    minimum of instances, and delete the old deployment.

    ``delete``: False if a process that may have been deleting it has died. ``outcome``: given if
    not every step was proven; then the traffic stays as it is.
    """
    held = outcome is not None or plan.last.action is Action.LIVE
    deletes = not held and plan.steps[-1].action is Action.DELETE
    phase = RolloutPhase.HELD if held else RolloutPhase.PROMOTED
    final = plan.final if outcome is None else None
    outcome = outcome or (RolloutOutcome.HELD if held else RolloutOutcome.PROMOTED)
    try:
        unrecorded = _record(endpoint, claim, phase, plan, final)
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
    endpoint: Endpoint,
    claim: EndpointClaim,
    phase: RolloutPhase,
    plan: Plan,
    final: Traffic | None,
) -> list[str]:
    """Record the end and set the final traffic; return what is left if that fails twice. Raises
    Overtaken."""
    for _ in range(2):
        try:
            claim.end(phase, plan, final)
        except Overtaken:
            raise
        except EndpointError as error:
            failure = error
        else:
            return []
    return [
        f"the tags of {endpoint.name}, which may say {RolloutPhase.ROLLING}, and what "
        f"{plan.old} still has of the traffic: {failure}"
    ]


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
