"""Runs a rollout once all that was asked for is known: in one workspace, or in one region after the
other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from mlops.failure import sentence
from mlops.rollout import progress, region_sequence, targets
from mlops.rollout.claim import check_free
from mlops.rollout.guard import Task, guarded
from mlops.rollout.journal import Journal, RolloutOutcome
from mlops.rollout.options import journal_of
from mlops.rollout.plan import Plan, not_checked
from mlops.rollout.preparation import Preparation
from mlops.rollout.questions import require
from mlops.rollout.region_sequence import RegionSequence
from mlops.rollout.regions import Region, Regions
from mlops.rollout.rules import Rules
from mlops.slo import Slo


def run(
    workspace: targets.Workspace,
    prepared: Preparation,
    plan: Callable[[str], Plan],
    rules: Rules,
    journal: Path,
    begin: Callable[[], None] = lambda: None,
) -> RolloutOutcome:
    """Roll out. ``plan``: takes the old deployment's name. ``begin`` is called before anything is
    changed. Raises StartupError, EndpointError if it can't begin."""
    name, new = prepared.document["endpoint_name"], prepared.document["name"]
    questions, version = prepared.ask(lambda: targets.models(workspace, name))
    require(questions, prepared.waived, rules.agreement)
    connect = targets.connector(
        workspace, name, {new: prepared.file}, {new: str(version)} if version else {}
    )
    key = targets.key(prepared.file, questions, version)
    status, run = connect().status(), Journal(journal).run()
    record = check_free(status, name, {run})
    # Otherwise somebody else has had the endpoint since.
    last = record if record and record.run == run else None
    if last and Journal(journal).promoted(key) and status.traffic.live.get(new) == 100:
        click.echo(f"{new} has been promoted already; there is nothing to roll out.")
        return RolloutOutcome.PROMOTED
    made = plan(targets.old(status.traffic, new, last))
    click.echo("\n".join(made.lines()))
    begin()
    outcome = guarded(Task(connect, made, rules, questions, journal, key, progress.follow))
    _report(journal, rules.slo)
    if prepared.waived:
        click.echo(f"{outcome}; {not_checked(prepared.waived)}")
    return outcome


def run_in_regions(
    regional: Regions,
    prepared: Preparation,
    plan: Callable[[str], Plan],
    rules: Rules,
    out: Path,
) -> RolloutOutcome:
    """Roll out in one region after the other, and say which have the new deployment then."""
    name = prepared.document["endpoint_name"]

    def roll_out(region: Region, begin: Callable[[], None]) -> RolloutOutcome:
        journal = journal_of(out / region.name, name)
        return run(region.workspace, prepared, plan, rules, journal, begin)

    sequence = RegionSequence(regional, region_sequence.connect(regional.front_door))
    try:
        return sequence.run(roll_out)
    finally:
        click.echo(sequence.ways_back(name, out))


def _report(journal: Path, slo: Slo) -> None:
    from mlops.rollout import report

    page = journal.with_suffix(".html")
    try:
        report.write(Journal(journal).last(), page, slo)
    except Exception as error:  # any at all: the exit status must say how the rollout ended
        click.echo(
            f"note: the report {page} could not be written: {sentence(error, 'report')}", err=True
        )
    else:
        click.echo(f"Report: {page}")
