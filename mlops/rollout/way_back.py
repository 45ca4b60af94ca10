"""Puts all traffic back to the old deployment, whatever fails meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from mlops.endpoint import Endpoint, EndpointError, Status, same
from mlops.rollout.claim import EndpointClaim, Overtaken
from mlops.rollout.journal import Journal, RolloutOutcome
from mlops.rollout.plan import Plan
from mlops.rollout.record import UnreadableTags

BACK_PATIENCE_S = 600
"""How long an endpoint may refuse the way back."""

RETRY_S = 10
"""Time between attempts."""


def put_back(
    endpoint: Endpoint,
    plan: Plan,
    journal: Journal,
    reason: str,
    outcome: RolloutOutcome = RolloutOutcome.ROLLED_BACK,
    *,
    claim: EndpointClaim,
    change: Callable[[Status], Status] | None = None,
    scaled: Sequence[str] | None = None,
    timer: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> RolloutOutcome:
    """Give all traffic to the old deployment; return how that ended.

    The endpoint may refuse for up to ten minutes, and anything else may fail, even the journal. If
    another run than that of ``claim`` has the endpoint, nothing is changed. ``change``: what to
    write in place of the claim's own way back. ``scaled``: the deployments whose autoscale settings
    are removed, by default the new one.
    """
    journal.note(
        "back", reason=reason, outcome=outcome, share=0, live=dict(plan.back.live), mirror={}
    )
    until = timer() + BACK_PATIENCE_S
    try:
        while (
            not (back := _is_back(endpoint, plan, journal, claim, change or claim.back(plan)))
            and timer() < until
        ):
            sleep(RETRY_S)
    except (Overtaken, UnreadableTags) as other:
        return note_overtaken(journal, other, reason)
    if not back:
        zeros = " ".join(f"{name}=0" for name in plan.new.split(", "))
        outcome, left = RolloutOutcome.STUCK, [f"{plan.new}, perhaps with traffic"]
        reason = (
            f"{reason}; and the traffic could not be put back. Do it by hand: "
            f"az ml online-endpoint update --name {endpoint.name} "
            f'--mirror-traffic "{zeros}" --traffic "{plan.old}=100 {zeros}"'
        )
    else:
        left = [
            f"{plan.new}, without traffic, to look into",
            *_unscaled(endpoint, [plan.new] if scaled is None else scaled),
        ]
    journal.note("ended", outcome=outcome, reason=reason, left=left)
    return outcome


def note_overtaken(journal: Journal, error: EndpointError, reason: str = "") -> RolloutOutcome:
    """Record that another run has overtaken this one. ``reason``: what happened before that."""
    message = str(error).rstrip(".")
    journal.note(
        "ended",
        outcome=RolloutOutcome.OVERTAKEN,
        reason=f"{reason}; and {message}" if reason else message,
        left=[],
    )
    return RolloutOutcome.OVERTAKEN


def _unscaled(endpoint: Endpoint, deployments: Sequence[str]) -> list[str]:
    """Remove autoscale settings; return what is left if that fails."""
    left = []
    for name in deployments:
        try:
            endpoint.remove_autoscale(name)
        except Exception as error:  # any at all: the traffic is back
            left.append(f"the autoscale setting of {name}: {str(error) or type(error).__name__}")
    return left


def _is_back(
    endpoint: Endpoint,
    plan: Plan,
    journal: Journal,
    claim: EndpointClaim,
    change: Callable[[Status], Status],
) -> bool:
    """Try to put the traffic back. Raises Overtaken, UnreadableTags."""
    try:
        endpoint.update(change)
        status = endpoint.status()
        return same(status.traffic, plan.back) and claim.holds(status)
    except (Overtaken, UnreadableTags):  # trying again does not help
        raise
    except Exception as error:  # any at all: the next attempt may succeed
        journal.note("trouble", error=str(error) or type(error).__name__)
        return False
