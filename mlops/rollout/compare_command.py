"""``mlops compare``."""

from __future__ import annotations

import time
from pathlib import Path

import click

from azureml_scoring.quantities import MINUTES
from mlops import output
from mlops.endpoint import Endpoint
from mlops.exit_status import ExitStatus
from mlops.failure import CommandError
from mlops.quantity_options import QuantityType
from mlops.rollout import targets
from mlops.rollout.options import FILE, MODEL_DIR, OUT, in_workspace
from mlops.rollout.questions import Questions, table


@click.command()
@click.argument("endpoint_name")
@click.option("--old", required=True, help="Deployment to compare with.")
@click.option("--new", required=True, help="Deployment to compare.")
@click.option(
    "--minutes",
    type=QuantityType(MINUTES.within(0, above=True)),
    default=60.0,
    help="How far back to look for requests.",
)
@click.option("--sample", type=FILE, help="File of rows whose predictions are compared.")
@click.option(
    "--model-dir",
    type=MODEL_DIR,
    help="Folder of the model, which says how to read a CSV's columns.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=OUT,
    help="Folder to write the picture to.",
)
@in_workspace
def compare(
    workspace: targets.Workspace,
    endpoint_name: str,
    old: str,
    new: str,
    minutes: float,
    sample: Path | None,
    model_dir: Path | None,
    out: Path,
) -> None:
    """Compare two deployments that share the traffic.

    It compares latency, errors and predictions, with confidence intervals.

    Example: mlops compare churn --old blue --new green --sample validation.csv
    """
    questions = _questions(sample, model_dir)
    endpoint = targets.connector(workspace, endpoint_name, {})()
    say_comparison(endpoint, old, new, time.time() - 60 * minutes, questions, out)


def _questions(sample: Path | None, model_dir: Path | None) -> Questions:
    if sample is None:
        return Questions()
    from mlops.model_features import features_of

    return table(sample, features_of(model_dir) if model_dir else ())


def say_comparison(
    endpoint: Endpoint, old: str, new: str, since: float, questions: Questions, out: Path
) -> None:
    """Print the table and write the picture. Raises EndpointError, and CommandError if there is
    nothing to compare."""
    from mlops.rollout import comparison, comparison_picture
    from mlops.rollout.request_tally import RequestTally
    from mlops.rollout.same_rows import SameRows

    picture = out / f"{endpoint.name}-{old}-{new}.svg"
    output.check(picture)
    blocks = endpoint.blocks(since)
    after, before = (
        RequestTally.of([block for block in blocks if block.deployment == name])
        for name in (new, old)
    )
    if not (after.total and before.total):
        raise CommandError(
            f"There are no requests to both {old} and {new} in that time; take more minutes.",
            ExitStatus.UNDECIDED,
        )
    agreed = None
    if questions.rows:
        same_rows = SameRows(questions, endpoint, new, old)
        same_rows.ask_old()
        agreed = same_rows.look()
    rows = comparison.compare(after, before, agreed)
    click.echo("\n".join(comparison.lines(rows, old, new)))
    comparison_picture.write(picture, rows, {new: after, old: before})
    click.echo(f"\nPicture: {picture}")
    for line in comparison.too_little(after, before):
        click.echo(f"note: {line}", err=True)
    for line in comparison.not_compared(agreed, old, new):
        click.echo(line)
    if agreed and not agreed.rows:
        raise CommandError(
            f"No predictions were compared; give rows that {old} and {new} answer by --sample.",
            ExitStatus.UNDECIDED,
        )
