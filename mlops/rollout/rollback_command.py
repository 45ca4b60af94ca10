"""``mlops rollback``."""

from __future__ import annotations

import functools
from pathlib import Path

import click

from mlops.endpoint import EndpointError
from mlops.exit_status import ExitStatus
from mlops.rollout import progress, targets
from mlops.rollout.checkout import origin
from mlops.rollout.journal import Journal, RolloutOutcome
from mlops.rollout.options import FILE, OUT, in_workspace, journal_of
from mlops.rollout.rollback import Gone, Rollback


@click.command()
@click.argument("endpoint_name")
@click.option(
    "--to", "to", help="Deployment that gets all traffic, whatever the last rollout left."
)
@click.option(
    "--redeploy",
    is_flag=True,
    help="Deploy the deployment to go back to again, if it was deleted.",
)
@click.option(
    "--file",
    type=FILE,
    help="File to redeploy from; by default the one it was deployed from, if that is here.",
)
@click.option(
    "--own",
    is_flag=True,
    help="Only roll back what this pipeline run, or this user here, rolled out.",
)
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be done, and do nothing.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=OUT,
    help="Folder of the journal.",
)
@functools.partial(in_workspace, reads_log=False)
def rollback(
    workspace: targets.Workspace,
    endpoint_name: str,
    to: str | None,
    redeploy: bool,
    file: Path | None,
    own: bool,
    only_plan: bool,
    out: Path,
) -> None:
    """Give all traffic back to the deployment that had it before.

    That is, before the last rollout to ENDPOINT_NAME. The endpoint's tags say which that is, so it
    works from any machine. A rollout that is under way stops. Nothing is deleted. The exit status
    is 0 if the traffic is back or there is nothing to do.

    Example: mlops rollback diabetes-classifier
    """
    if file and not redeploy:
        raise click.UsageError("--file names the file to redeploy from; give --redeploy too.")
    journal = Journal(journal_of(out, endpoint_name), follow=progress.follow)
    _warn_of_unreadable(journal)
    back = Rollback(targets.connector(workspace, endpoint_name, {})(), to)
    if nothing := back.nothing(own=own):
        click.echo(nothing)
        return
    by = (file or back.file()) if _gone(back, redeploy) else None
    if by:
        _say_redeployed(back, by)
    if back.others:
        click.echo(f"All traffic goes back to {back.to}, away from {back.others}.")
    else:
        click.echo(f"All traffic stays with {back.to}, and the rollout that is under way ends.")
    if only_plan:
        return
    if by:
        back.redeploy(targets.connector(workspace, endpoint_name, {back.to: by})())
    click.get_current_context().exit(
        ExitStatus.DONE if back.run(journal) is RolloutOutcome.ROLLED_BACK else ExitStatus.NO
    )


def _gone(back: Rollback, redeploy: bool) -> bool:
    """True if the deployment to go back to must be deployed first. Raises EndpointError."""
    try:
        back.check()
    except Gone:
        if not redeploy:
            raise
        return True
    return False


def _say_redeployed(back: Rollback, file: Path) -> None:
    click.echo(f"{back.to} is deployed again: {back.source.model}, by {file}.")
    commit = origin(file)[1]
    if commit != back.source.commit:
        click.echo(
            f"note: size and settings are those of {file} as it is here, commit "
            f"{commit or 'unknown'}; {back.to} was deployed at "
            f"{back.source.commit or 'an unknown one'}",
            err=True,
        )


def _warn_of_unreadable(journal: Journal) -> None:
    """Print a note if the journal can't be read: a rollback goes by the endpoint's tags."""
    try:
        journal.last()
    except (EndpointError, OSError) as error:
        click.echo(
            f"note: the journal can't be read, which the rollback does not need: {error}", err=True
        )
