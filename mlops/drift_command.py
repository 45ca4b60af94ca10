"""The command ``mlops drift``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from azureml_scoring.quantities import INDEX
from mlops import extras, output
from mlops.exit_status import ExitStatus
from mlops.failure import CommandError
from mlops.quantity_options import QuantityType

if TYPE_CHECKING:
    from mlops.drift import FeatureDrift


@click.command()
@click.argument("artifact", type=click.Path(path_type=Path, exists=True))
@click.argument(
    "files", type=click.Path(path_type=Path, exists=True, dir_okay=False), nargs=-1, required=True
)
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), help="Write a picture, .svg or .png."
)
@click.option(
    "--limit",
    type=QuantityType(INDEX),
    help="Exit with 1 if a feature has drifted, and farther than this.",
)
def drift(artifact: Path, files: tuple[Path, ...], plot: Path | None, limit: float | None) -> None:
    """Print how far data has moved from the sample in ARTIFACT.

    The sample is what the model was packaged with. FILES: what the service collects in
    SCORING_COLLECT_FOLDER, what Azure ML's data collector writes, or a sample (.csv, .json,
    .parquet, .npy). Of each feature this prints the population stability index beyond what chance
    adds, and how probable so much is by chance. A feature has drifted if the first is above 0.02
    and the second below 0.01. At least 500 rows are judged.

    Example: mlops drift artifact collected/*.jsonl --plot drift.svg --limit 0.02
    """
    from mlops.drift import compare, table

    if plot and plot.suffix.lower() not in (".svg", ".png"):
        raise click.UsageError("--plot takes a file that ends in .svg or .png.")
    if plot:
        output.check(plot)
    drifts = compare(artifact, files)
    click.echo(table(drifts))
    if plot:
        _draw(plot, drifts)
    if limit is None:
        return
    if not drifts[0].drift.judged:
        raise CommandError("Nothing was judged; give more rows.", ExitStatus.UNDECIDED)
    for one in drifts:
        if one.verdict == "drifted" and one.drift.index > limit:
            raise CommandError(
                f"{one.baseline.name} has drifted by more than {limit:g}.", ExitStatus.NO
            )


def _draw(plot: Path, drifts: Sequence[FeatureDrift]) -> None:
    try:
        from mlops import drift_picture
    except ModuleNotFoundError:
        raise CommandError(
            f"--plot needs matplotlib; run `{extras.command('deploy')}`.", ExitStatus.UNUSABLE
        ) from None
    drift_picture.write(plot, drifts)
    click.echo(f"Wrote {plot}", err=True)
