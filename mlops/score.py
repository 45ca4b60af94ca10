"""``mlops score``: sends a file to a server and prints the predictions."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import orjson

from azureml_scoring.client import Client, ScoreError, UnusableAnswer
from azureml_scoring.client.address import scoring_url
from azureml_scoring.client.headers import is_header_value
from azureml_scoring.inputs.feature import Feature
from mlops.failure import CommandError
from mlops.plain_text import printable_json
from mlops.rows_request import RowsRequest
from mlops.score_refused import sentence, status

WRONG_TYPE = "wrong_type"
TYPES_ADVICE = (
    "; a CSV does not distinguish text from numbers: name the model's folder with --model-dir, or "
    "the column's type with --text or --dtype."
)
NAMELESS = "has no column names"
"""Words of the service's error for column names when the model knows none."""

NAMES_ADVICE = (
    ". In the CSV, put the columns in the order in which the model was fitted, and name them 0, 1, "
    "2, ... in its header; a CSV of numbers alone needs no header."
)


def score(
    file: Path,
    url: str,
    secret_env: str | None,
    deployment: str | None,
    model_dir: Path | None = None,
    declared: Mapping[str, Feature] | None = None,
) -> None:
    """Print a line for each prediction.

    ``model_dir``: a local copy of the model. ``declared``: features that the user declared. Both
    say how to read a CSV's columns. Raises click's exceptions, and StartupError for a file that
    can't be read.
    """
    address, secret, deployment = (
        address_of(url, secret_env),
        secret_of(secret_env),
        deployment_of(deployment),
    )
    features = _features(model_dir) if model_dir else ()
    work = _requests(file, features, declared)
    is_csv = file.suffix.lower() == ".csv"
    quiet = len(work) == 1 or sys.stdout.isatty() or not sys.stderr.isatty()
    total, printed = sum(rows.count for rows in work), 0
    by_cell: set[int] = set()
    with (
        Client(address, secret, deployment=deployment) as client,
        click.progressbar(length=total, label="Scoring", file=sys.stderr, hidden=quiet) as progress,
    ):
        for rows in work:
            try:
                lines = _lines(predictions_of(client, rows, by_cell))
            except ScoreError as error:
                before = f" The predictions of rows 1 to {printed} are printed." if printed else ""
                known = bool(features) or error.column in by_cell
                advice = _advice(error, known_type=known) if is_csv else ""
                said = sentence(error, rows.place)
                raise CommandError(f"{said}{advice}{before}", status(error)) from None
            for line in lines:
                click.echo(line)
            printed += rows.count
            progress.update(rows.count)


def _features(model_dir: Path) -> tuple[Feature, ...]:
    # Imported here, as pandas is below: few need it, and it takes a second.
    from mlops.model_features import features_of

    return features_of(model_dir)


def _requests(
    file: Path, features: Sequence[Feature], declared: Mapping[str, Feature] | None
) -> list[RowsRequest]:
    """Return a request body unchanged, or requests for a table's rows. Raises StartupError."""
    if file.name == "-" or file.suffix.lower() == ".json":
        return [RowsRequest(_read(file), None, 1)]
    from mlops.score_rows import batches

    return batches(file, features, declared, _note)


def predictions_of(client: Client, rows: RowsRequest, by_cell: set[int]) -> list[Any]:
    """Return the predictions. Raises ScoreError.

    One odd cell turns a CSV's column of numbers into text, and the server then refuses the first
    row instead of the odd one. So the request is sent again with each cell of that column parsed
    separately. If both are refused, the error farther down the file is raised. ``by_cell`` holds
    the columns that are sent this way; this function adds to it.
    """
    farthest: ScoreError | None = None
    while True:
        try:
            return client.score_body(rows.with_mixed(by_cell), _rows_in(rows))
        except ScoreError as error:
            if (
                farthest is None
                or error.column != farthest.column
                or (error.row or 0) > (farthest.row or 0)
            ):
                farthest = error
            column = error.column
            if (
                error.code != WRONG_TYPE
                or not isinstance(column, int)
                or column not in rows.mixed.keys() - by_cell
            ):
                raise farthest from None
            by_cell.add(column)


def _advice(refusal: ScoreError, *, known_type: bool) -> str:
    """Say how to correct a refused CSV. ``known_type``: the column's type is already known."""
    if NAMELESS in str(refusal):
        return NAMES_ADVICE
    return TYPES_ADVICE if refusal.code == WRONG_TYPE and not known_type else ""


def _rows_in(rows: RowsRequest) -> int | None:
    """Return the number of rows, or None if only the server knows it: a user's own body in an
    unknown form."""
    if rows.first is not None:
        return rows.count
    try:
        document = orjson.loads(rows.body)
    except ValueError:
        return None
    while isinstance(document, dict):
        document = document.get("input_data", document.get("data"))
    is_table = isinstance(document, list) and all(isinstance(row, list | dict) for row in document)
    return len(document) if is_table else None


def _lines(predictions: list[Any]) -> list[str]:
    """Format a whole batch before any of it is printed. Raises ScoreError."""
    try:
        return [printable_json(orjson.dumps(prediction).decode()) for prediction in predictions]
    except TypeError:
        raise UnusableAnswer(
            "The server's predictions are nested too deep to print; correct the server."
        ) from None


def _note(line: str) -> None:
    click.echo(line, err=True)


def _read(file: Path) -> bytes:
    return sys.stdin.buffer.read() if file.name == "-" else file.read_bytes()


def address_of(text: str, secret_env: str | None) -> str:
    """Return the scoring URL. Refuse to send a key without TLS, except on this machine."""
    try:
        return scoring_url(text, secret=secret_env is not None)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def secret_of(variable: str | None) -> str | None:
    if variable is None:
        return None
    secret = os.environ.get(variable, "").strip()
    if not secret:
        raise click.UsageError(
            "The variable that --key-env names is empty or not set; put the key there."
        )
    if not is_header_value(secret):
        raise click.UsageError(
            "The variable that --key-env names has characters no key has; copy the key again."
        )
    return secret


def deployment_of(name: str | None) -> str | None:
    """Return the name if it is safe as the value of a header."""
    if name is not None and not is_header_value(name):
        raise click.UsageError(
            "--deployment has characters no deployment's name has; write it as in its YAML."
        )
    return name
