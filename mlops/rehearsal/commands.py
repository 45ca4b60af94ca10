"""``mlops rehearse``."""

from __future__ import annotations

from pathlib import Path

import click

from mlops.exit_status import ExitStatus
from mlops.rollout.journal import Journal, RolloutOutcome


@click.command()
@click.argument("greens", nargs=-1)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="build/rehearsal",
    help="Folder to write logs and reports to.",
)
def rehearse(greens: tuple[str, ...], out: Path) -> None:
    """Rehearse rollouts on this machine.

    GREENS are good, slow, failing, other, dying, cold, quiet and killed, and by default all. Blue
    and green are real servers behind a small traffic splitter that behaves like Azure's. The
    controller is that of `mlops rollout`. The exit status is 1 if one did not end as it should.

    Example: mlops rehearse good slow
    """
    from mlops.rehearsal.greens import GREENS
    from mlops.rehearsal.local_endpoint import stage
    from mlops.rehearsal.rehearsal import RULES, check, rehearse
    from mlops.rollout import progress, report

    if unknown := set(greens) - GREENS.keys():
        raise click.UsageError(
            f"There is no {', '.join(sorted(unknown))} to rehearse; name {', '.join(GREENS)}."
        )
    for name in greens or GREENS:
        check(name, out)
    out.mkdir(parents=True, exist_ok=True)  # or fail before servers are started
    rows, wrong = [], False
    with stage() as url:
        for name in greens or GREENS:
            click.echo(f"\n{GREENS[name].title}")
            done = rehearse(name, url, out, progress.follow)
            page = out / f"{name}.html"
            report.write(Journal(done.journal).last(), page, RULES.slo)
            rows.append(
                f"{GREENS[name].title}: {done.outcome}, {done.failures} of {done.requests} clients "
                f"failed; {page}"
            )
            for problem in done.problems:
                click.echo(f"  PROBLEM: {problem}", err=True)
            wrong = wrong or bool(done.problems)
            if done.outcome is RolloutOutcome.INTERRUPTED is not GREENS[name].ends:
                break
    click.echo("\n" + "\n".join(rows))
    click.get_current_context().exit(ExitStatus.NO if wrong else ExitStatus.DONE)
