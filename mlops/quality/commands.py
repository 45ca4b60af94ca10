"""The command ``mlops quality``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

from azureml_scoring.errors import StartupError
from mlops import extras, output
from mlops.exit_status import ExitStatus
from mlops.failure import CommandError

if TYPE_CHECKING:
    from mlops.quality.calibration import Calibration
    from mlops.quality.judge import Verdict

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("predictions", type=FILE, nargs=-1, required=True)
@click.argument("truth", type=FILE)
@click.option("--prediction", default="prediction", help="The column of predictions.")
@click.option("--truth", "truth_column", default="truth", help="The column of truths.")
@click.option(
    "--task",
    type=click.Choice(["classification", "regression"]),
    help="What the values are, if they don't say it themselves.",
)
@click.option(
    "--classes", metavar="A,B,...", help="The classes of probabilities, as in the model's classes_."
)
@click.option(
    "--block",
    metavar="COLUMN",
    help="A column of either file, such as the client: rows with the same value may be alike. "
    "Without it, rows of one request are.",
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="FIGURE=VALUE",
    callback=lambda ctx, param, value: _limits(value),
    help="Exit with 1 if a figure is beyond this for sure, such as accuracy=0.9 or mae=5.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the calibration curve, .svg or .png.",
)
def quality(
    predictions: tuple[Path, ...],
    truth: Path,
    prediction: str,
    truth_column: str,
    task: str | None,
    classes: str | None,
    block: str | None,
    limits: dict[str, float],
    as_json: bool,
    plot: Path | None,
) -> None:
    """Print how good predictions were, now that the truth is known.

    PREDICTIONS: what the service collects in SCORING_COLLECT_FOLDER, the model_outputs of Azure
    ML's data collector, or a table (.csv, .parquet, .jsonl) with request_id, row and prediction.
    TRUTH: a table with request_id, row and truth. Rows of a request count from 0. What `mlops
    score` prints has no request ids: then TRUTH has one line for each prediction.

    Example: mlops quality collected/*.jsonl truth.csv --limit accuracy=0.9
    """
    from mlops.quality import rows
    from mlops.quality.join import join
    from mlops.quality.judge import judge, table, to_json

    if plot and plot.suffix.lower() not in (".svg", ".png"):
        raise click.UsageError("--plot takes a file that ends in .svg or .png.")
    if plot:
        output.check(plot)
    predicted = rows.read(predictions, prediction, block)
    true = rows.read([truth], truth_column, block)
    if block and "block" not in predicted and "block" not in true:
        raise StartupError(f"Neither side has a column {block}; name one of theirs.")
    joined = join(predicted, true)
    verdict = judge(joined, task, (classes or "").split(",") if classes else ())
    click.echo(orjson.dumps(to_json(verdict)).decode() if as_json else table(verdict))
    if plot and verdict.quality:
        _draw(plot, verdict.quality.calibration)
    if limits:
        _hold(verdict, limits)


def _limits(options: tuple[str, ...]) -> dict[str, float]:
    limits = {}
    for option in options:
        name, _, value = option.rpartition("=")
        try:
            limits[name] = float(value)
        except ValueError:
            name = ""
        if not name or limits[name] != limits[name]:
            raise click.BadParameter(f"{option} is not FIGURE=VALUE, such as accuracy=0.9.")
    return limits


def _draw(plot: Path, curve: Calibration | None) -> None:
    if curve is None:
        raise StartupError(
            "--plot needs probabilities; collect answers to requests with method predict_proba."
        )
    try:
        from mlops.quality import picture
    except ModuleNotFoundError:
        raise CommandError(
            f"--plot needs matplotlib; run `{extras.command('deploy')}`.", ExitStatus.UNUSABLE
        ) from None
    picture.write(plot, curve)
    click.echo(f"Wrote {plot}", err=True)


def _hold(verdict: Verdict, limits: dict[str, float]) -> None:
    from mlops.quality.judge import passed

    if verdict.quality is None:
        raise CommandError("Nothing was judged; give more rows.", ExitStatus.UNDECIDED)
    figures = verdict.quality.figures
    if unknown := [name for name in limits if name not in figures]:
        raise click.UsageError(
            f"There is no figure {unknown[0]}; --limit takes one of {', '.join(figures)}."
        )
    if sentences := passed(figures, limits):
        raise CommandError(f"{'; '.join(sentences)}.", ExitStatus.NO)
