"""What ``mlops load`` does to a server, and what it prints."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from azureml_scoring.client import Client, ScoreError
from mlops.exit_status import ExitStatus
from mlops.failure import CommandError
from mlops.load import overload, report
from mlops.load.figures import Objectives
from mlops.load.mix import Mix, RequestKind
from mlops.load.progress import Progress
from mlops.load.run import LoadPlan, run
from mlops.score_refused import sentence, status


def try_one(address: str, secret: str | None, deployment: str | None, bodies: Mix) -> None:
    """Send one request, so that a wrong key ends the load at once."""
    try:
        with Client(address, secret, deployment=deployment, attempts=1) as client:
            client.score_body(bodies.body(RequestKind.GOOD))
    except ScoreError as error:
        raise CommandError(sentence(error), status(error)) from None


def offer_multiples(
    plan: LoadPlan, multiples: list[float], within_ms: tuple[float, float], out: Path
) -> None:
    """Offer multiples of the capacity, and draw what is answered in time."""
    begun, offered = _now(), []
    for offered_load in overload.offer(plan, multiples, within_ms):
        click.echo(offered_load)
        offered.append(offered_load)
    if note := report.busy_note(max(offered_load.cpu for offered_load in offered)):
        click.echo(note)
    click.echo(overload.write(plan.url, begun, offered, out))


def hold_objectives(plan: LoadPlan, objectives: Objectives, out: Path) -> ExitStatus:
    """Run the stages and report on them. Return NO unless all objectives held."""
    begun, progress = _now(), Progress(plan.stages)
    load_run = run(plan, progress)
    progress.over(load_run.requests)
    result = report.Result(plan.url, begun, plan.stages, objectives, load_run)
    page = report.write(result, out)
    for line in (*result.broken, result.note):
        if line:
            click.echo(line)
    click.echo(f"{result.outcome}; {page}")
    if not result.complete:
        return ExitStatus.INTERRUPTED
    return ExitStatus.DONE if result.holds else ExitStatus.NO


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
