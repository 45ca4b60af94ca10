"""The command ``mlops batch``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from azureml_scoring import settings
from azureml_scoring.quantities import COUNT, SECONDS, SHARE, WORKERS
from mlops.exit_status import ExitStatus
from mlops.quantity_options import QuantityType

if TYPE_CHECKING:
    from mlops.batch.inputs import InputFile

EXISTING = click.Path(path_type=Path, exists=True)


@click.command()
@click.argument("model", type=EXISTING)
@click.argument("inputs", type=EXISTING, nargs=-1, required=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for the predictions. Started again with the same one, a job does what is left.",
)
@click.option(
    "--processes",
    type=QuantityType(WORKERS),
    help="Each loads the model and scores a file at a time, so count their memory. In Azure: "
    "max_concurrency_per_instance times instance_count.  [default: the processors]",
)
@click.option(
    "--mini-batch-size",
    type=QuantityType(COUNT),
    default=1,
    help="Files that a process gets at once: they are tried again together, and share one timeout.",
)
@click.option(
    "--max-retries",
    type=QuantityType(COUNT.within(0, 100)),
    default=3,
    help="More tries for a mini-batch whose process died, was late or raised an error.",
)
@click.option(
    "--timeout",
    type=QuantityType(SECONDS.within(0, above=True)),
    default=3600,
    help="Longest time for a mini-batch; then its process is killed. Azure's default of 30 is "
    "too short for large files.",
)
@click.option(
    "--error-threshold",
    type=QuantityType(COUNT.within(0)),
    default=0,
    help="Failed files with which the job still succeeds; one more ends it, with exit status 1. "
    "Azure's default, -1, ignores them all, even if no file was scored.",
)
@click.option(
    "--max-bad-rows",
    type=QuantityType(SHARE),
    default=0.5,
    help="A file fails if a larger share of its rows is bad (SCORING_BATCH_MAX_BAD_ROWS).",
)
@click.option("--method", help="Such as predict_proba (SCORING_BATCH_METHOD).")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "parquet"]),
    default="csv",
    help="Of the predictions (SCORING_BATCH_OUTPUT).",
)
def batch(
    model: Path,
    inputs: tuple[Path, ...],
    out: Path,
    processes: int | None,
    mini_batch_size: int,
    max_retries: int,
    timeout: float,
    error_threshold: int,
    max_bad_rows: float,
    method: str | None,
    form: Literal["csv", "parquet"],
) -> None:
    """Score files as a batch endpoint of Azure ML does.

    It runs on this machine, by the same script. MODEL: an artifact, or a folder with a model.
    INPUTS: files, or folders of files, that end in .csv, .jsonl, .ndjson, .parquet, .arrow or
    .feather. The predictions of x.csv are x.csv.predictions.csv, and its bad rows x.csv.errors.csv
    with their places and reasons; each is there once it is whole. A job that was killed goes on
    where it was when it is started again.

    Example: mlops batch artifact data/ --out scored --method predict_proba
    """
    from azureml_scoring.models.files import artifact
    from mlops.batch import inputs as input_files
    from mlops.batch.progress import Bar
    from mlops.batch.report import Report
    from mlops.batch.run import Run, RunSettings

    root, files = input_files.find(inputs, out)
    run_settings = RunSettings(
        min(processes or os.cpu_count() or 1, len(files)),
        mini_batch_size,
        max_retries,
        timeout,
        error_threshold,
    )
    environment = {
        "AZUREML_MODEL_DIR": str(model.resolve()),
        "AZUREML_BI_OUTPUT_PATH": str(out.resolve()),
        "SCORING_BATCH_INPUT_ROOT": str(root),
        "SCORING_BATCH_METHOD": method or "",
        "SCORING_BATCH_OUTPUT": form,
        "SCORING_BATCH_MAX_BAD_ROWS": str(max_bad_rows),
        "WORKER_COUNT": str(run_settings.processes),
    }
    packaged = artifact.find(settings.load(os.environ | environment)).manifest
    input_files.claim(out)
    input_files.remove_temporary(out)
    bar = Bar(files)
    with bar.shown:

        def skip(file: InputFile, job: str) -> bool:
            done = input_files.is_done(file, out, job, form)
            if done:
                bar.advance(file.path, 0, 1.0)
            return done

        outcome = Run(files, run_settings, environment, out / "logs", skip, bar.advance)()
    input_files.remove_temporary(out)
    report = Report.of(files, out, outcome, packaged.answer_baselines if packaged else ())
    input_files.write_report(out, report.to_json())
    click.echo(report)
    too_many = len(outcome.failed) > error_threshold
    click.get_current_context().exit(ExitStatus.NO if too_many else ExitStatus.DONE)
