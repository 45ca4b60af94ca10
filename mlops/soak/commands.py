"""``mlops slo``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from azureml_scoring import settings
from azureml_scoring.errors import StartupError
from azureml_scoring.quantities import PER_SECOND, SECONDS
from mlops import output
from mlops.exit_status import ExitStatus
from mlops.quantity_options import QuantityType
from mlops.say import on_stderr

MAX_PROCESSORS = 2


@click.command()
@click.option(
    "--rate",
    type=QuantityType(PER_SECOND.within(1)),
    default=150,
    help="Requests to send each second.",
)
@click.option(
    "--phase",
    "phase_s",
    type=QuantityType(SECONDS.within(1)),
    default=40,
    help="Length of each of the five phases.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="build/slo",
    help="Folder to write the logs and the report to.",
)
@click.option(
    "--write",
    "page",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File to write the table into, between its marks.",
)
def slo(rate: float, phase_s: float, out: Path, page: Path | None) -> None:
    """Test the demo model against its objectives, with faults.

    It takes minutes on this machine. Two instances with two workers each share a real Redis and two
    processors. Redis is frozen, a worker is killed, an instance is stopped and started again. The
    exit status is 1 if an objective did not hold, a request was lost or the memory grew.

    Example: mlops slo --rate 150 --out build/slo
    """
    from mlops import demo, example
    from mlops.load import report
    from mlops.load.progress import Progress
    from mlops.load.stages import Stage
    from mlops.soak import balancer
    from mlops.soak.faults import PHASES
    from mlops.soak.soak import soak
    from mlops.soak.table import BEGIN, END, table, write

    if page and END not in page.read_text(encoding="utf-8", errors="replace").partition(BEGIN)[2]:
        raise StartupError(
            f"{page} has no place for the table; write {BEGIN.strip()} and {END.strip()} there."
        )
    if page:
        output.check(page, output.seen_by_the_command)
    report.check(out)
    balancer.check(out)
    demo.check(out / "artifact", force=True)
    out.mkdir(parents=True, exist_ok=True)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:MAX_PROCESSORS])
    artifact = out / "artifact"
    demo.make(artifact, version="v1.0.0", force=True, say=on_stderr)
    rows = example.rows(settings.load(os.environ | {"AZUREML_MODEL_DIR": str(artifact)}))
    progress = Progress([Stage(phase_s, rate)] * len(PHASES))
    soaked = soak(artifact, rows, out, rate=rate, phase_s=phase_s, follow=progress)
    if not soaked.result.complete:
        raise click.Abort
    progress.over(soaked.result.run.requests)
    text = table(soaked)
    click.echo(f"\n{text}")
    report.write(soaked.result, out)
    if page:
        write(text, page)
    click.get_current_context().exit(ExitStatus.NO if soaked.problems else ExitStatus.DONE)
