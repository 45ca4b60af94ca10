"""``mlops compare``."""

from __future__ import annotations

import time
from pathlib import Path

import click

from azureml_scoring.quantities import MINUTES
from mlops import output
from mlops.endpoint import Endpoint, EndpointError
from mlops.model_features import features_of
from mlops.quantity_options import QuantityType
from mlops.rollout import targets
from mlops.rollout.options import FILE, MODEL_DIR, OUT, in_workspace
from mlops.rollout.questions import Questions, table


@click.command()
@click.argument("endpoint_name")
@click.option("--old", required=True, help="The deployment that is compared with.")
@click.option("--new", required=True, help="The one that is compared.")
@click.option(
    "--minutes",
    type=QuantityType(MINUTES.within(0, above=True)),
    default=60.0,
    help="How far back requests are taken.",
)
@click.option("--sample", type=FILE, help="Rows whose predictions are compared.")
@click.option(
    "--model-dir",
    type=MODEL_DIR,
    help="The model's folder here: it tells how to read a CSV's columns.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=OUT,
    help="Folder of the picture.",
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
    """Compare two deployments that share the traffic: latency, errors, predictions, with confidence
    intervals.

    Example: mlops compare diabetes-classifier --old blue --new green --sample validation.csv
    """
    asked = table(sample, features_of(model_dir) if model_dir else ()) if sample else Questions()
    endpoint = targets.connector(workspace, endpoint_name, {})()
    say_comparison(endpoint, old, new, time.time() - 60 * minutes, asked, out)


def say_comparison(
    endpoint: Endpoint, old: str, new: str, since: float, asked: Questions, out: Path
) -> None:
    """Print the table and write the picture. Raises EndpointError, also where no predictions could
    be compared."""
    from mlops.rollout import comparison, comparison_picture
    from mlops.rollout.judge import RequestTally
    from mlops.rollout.same_rows import agreement

    picture = out / f"{endpoint.name}-{old}-{new}.svg"
    output.check(picture)
    seen = endpoint.observations(since)
    after, before = (
        RequestTally.of(each for each in seen if each.deployment == name) for name in (new, old)
    )
    if not (after.requests and before.requests):
        raise EndpointError(
            f"There are no requests to both {old} and {new} in that time; take more minutes."
        )
    agreed = agreement(asked, endpoint, new, old)
    rows = comparison.compare(after, before, agreed)
    click.echo("\n".join(comparison.lines(rows, old, new)))
    comparison_picture.write(picture, rows, {new: after.latencies, old: before.latencies})
    click.echo(f"\nPicture: {picture}")
    for line in comparison.not_compared(agreed, old, new):
        click.echo(line)
    if agreed and not agreed.rows:
        raise EndpointError(
            f"No predictions were compared; give rows that {old} and {new} answer by --sample."
        )
