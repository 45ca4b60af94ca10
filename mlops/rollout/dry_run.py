"""Says what `mlops rollout` would do and could prove: what the files tell, and more if Azure can be
reached."""

from __future__ import annotations

import time
from collections.abc import Callable

import click

from mlops.endpoint import Endpoint, EndpointError, Status
from mlops.failure import sentence
from mlops.rollout import power, targets
from mlops.rollout.claim import check_free
from mlops.rollout.plan import Plan
from mlops.rollout.preparation import Preparation
from mlops.rollout.questions import require
from mlops.rollout.request_tally import RequestTally
from mlops.rollout.rules import Rules

POWER_S = 3600


def say_plan(
    plan: Callable[[str], Plan],
    prepared: Preparation,
    workspace: targets.Workspace | None,
    agreement: float,
) -> None:
    """Print the plan, from the files and, if it can be reached, Azure. Raises EndpointError if the
    rollout would be refused. ``agreement``: the share of predictions that must agree."""
    name, new = prepared.document["endpoint_name"], prepared.document["name"]
    status = _status(workspace, name) if workspace else None
    traffic = status.traffic if status else None
    old = targets.serving(traffic, new) if traffic else "the one that serves now"
    questions, version = None, None
    if workspace and traffic:
        questions, version = prepared.ask(lambda: targets.models(workspace, name))
    elif not prepared.fetches:
        questions = prepared.here()
    click.echo("\n".join(plan(old).lines()))
    if version:
        click.echo(f"{new} gets {version}, which is {prepared.model} now")
    if questions is None:
        click.echo(
            f"the rows to ask are fetched before anything is changed, with the manifest of "
            f"{prepared.model}"
        )
    else:
        require(questions, prepared.waived, agreement)


def say_power(endpoint: Endpoint, plan: Callable[[str], Plan], rules: Rules) -> None:
    """Print what the traffic of the last hour could prove. Raises EndpointError if there was
    none."""
    made = plan(targets.serving(endpoint.status().traffic, plan("").new))
    blocks = endpoint.blocks(time.time() - POWER_S)
    tally = RequestTally.of(block for block in blocks if block.deployment == made.old)
    if not tally.total:
        raise EndpointError(
            f"{made.old} had no requests in the last hour, so a rollout could prove nothing; "
            "send some first, as `mlops load` does."
        )
    click.echo("\n".join(power.lines(power.Usual.of(tally, POWER_S), made, rules)))


def _status(workspace: targets.Workspace, endpoint: str) -> Status | None:
    """Return the endpoint's status, or None if Azure can't be reached. Print a note then, and also
    if another rollout is under way."""
    try:
        status = targets.connector(workspace, endpoint, {})().status()
    except (EndpointError, ModuleNotFoundError) as error:
        click.echo(
            f"note: this is what the files say, as Azure was not asked: "
            f"{sentence(error, 'rollout')}",
            err=True,
        )
        return None
    try:
        check_free(status, endpoint, set())
    except EndpointError as error:
        click.echo(f"note: {error}", err=True)
    return status
