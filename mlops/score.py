"""``mlops score``: a file goes out, predictions come back."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import click
import httpx
import orjson

from azureml_scoring.inputs.contract import Feature
from mlops.model_features import features_of
from mlops.plain_text import printable_json
from mlops.score_client import ScoreClient, ScoreRefused
from mlops.score_rows import Rows, batches

WRONG = "wrong_type"
UNTOLD = (
    "; a CSV does not tell texts from numbers: name the model's folder by --model-dir, or the "
    "column by --text or --dtype."
)
NAMELESS = "tells no names"
UNNAMED = (
    ". In the CSV, put the columns in the order of the fit, and name them 0, 1, 2, ... in its "
    "header; one that holds only numbers may do without a header."
)


def score(
    file: Path,
    url: str,
    secret_env: str | None,
    deployment: str | None,
    model_dir: Path | None = None,
    told: Mapping[str, Feature] | None = None,
) -> None:
    """Print a line for each prediction. Raises click's exceptions, and StartupError for a file that
    can't be read.

    ``model_dir``, ``told``: what tells of a CSV's columns.
    """
    address, secret, deployment = (
        address_of(url, secret_env),
        secret_of(secret_env),
        deployment_of(deployment),
    )
    as_it_is = file.name == "-" or file.suffix.lower() == ".json"
    features = features_of(model_dir) if model_dir else ()
    work = [Rows(_read(file), None, 1)] if as_it_is else batches(file, features, told, _note)
    is_csv = file.suffix.lower() == ".csv"
    quiet = len(work) == 1 or sys.stdout.isatty() or not sys.stderr.isatty()
    total, printed = sum(rows.count for rows in work), 0
    by_cell: set[int] = set()
    with (
        ScoreClient(address, secret, deployment) as client,
        click.progressbar(length=total, label="Scoring", file=sys.stderr, hidden=quiet) as progress,
    ):
        for rows in work:
            try:
                lines = _lines(asked(client, rows, by_cell))
            except ScoreRefused as error:
                before = f" The predictions of rows 1 to {printed} are printed." if printed else ""
                advice = (
                    _advice(error, told=bool(features) or error.column in by_cell) if is_csv else ""
                )
                raise click.ClickException(f"{error}{advice}{before}") from None
            for line in lines:
                click.echo(line)
            printed += rows.count
            progress.update(rows.count)


def asked(client: ScoreClient, rows: Rows, by_cell: set[int]) -> list[Any]:
    """Return the predictions. Raises ScoreRefused.

    One odd cell turns a CSV's column of numbers into texts, and the server then refuses the first
    row instead of the odd one. So such a column is sent again with each cell read by itself. Of two
    refusals of a column the one farther down is raised. ``by_cell``: the columns that are sent so;
    it grows.
    """
    told: ScoreRefused | None = None
    while True:
        try:
            return client.score(rows.with_mixed(by_cell), _rows_in(rows), rows.place)
        except ScoreRefused as error:
            if told is None or error.column != told.column or (error.row or 0) > (told.row or 0):
                told = error
            if error.code != WRONG or error.column not in rows.mixed.keys() - by_cell:
                raise told from None
            by_cell.add(error.column)


def _advice(refused: ScoreRefused, *, told: bool) -> str:
    """Say what to do about a refused CSV. ``told``: what its column holds is known."""
    if NAMELESS in str(refused):
        return UNNAMED
    return UNTOLD if refused.code == WRONG and not told else ""


def _rows_in(rows: Rows) -> int | None:
    """None where only the server can tell: in a body of the user's own whose form is not one of
    ours."""
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
    """Of a whole batch, before any of them is printed. Raises ScoreRefused."""
    try:
        return [printable_json(orjson.dumps(prediction).decode()) for prediction in predictions]
    except TypeError:
        raise ScoreRefused(
            "The server's predictions are nested too deep to be any; correct the server."
        ) from None


def _note(line: str) -> None:
    click.echo(line, err=True)


def _read(file: Path) -> bytes:
    return sys.stdin.buffer.read() if file.name == "-" else file.read_bytes()


def address_of(text: str, secret_env: str | None) -> str:
    """A key goes over TLS, or stays on this machine."""
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, UnicodeError):
        raise click.UsageError(
            "The URL is not an address; give one as https://host/score."
        ) from None
    if url.scheme not in ("http", "https") or not url.host:
        raise click.UsageError(
            "The URL needs http:// or https:// and a host, as in https://host/score."
        )
    if url.userinfo:
        raise click.UsageError(
            "The URL holds a password; put it in a variable and name that with --key-env."
        )
    if secret_env and url.scheme == "http" and not _local(url.host):
        raise click.UsageError("A key is not sent without TLS; give an https:// address.")
    return str(url.copy_with(path="/score") if url.path == "/" else url)


def _local(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def secret_of(variable: str | None) -> str | None:
    if variable is None:
        return None
    secret = os.environ.get(variable, "").strip()
    if not secret:
        raise click.UsageError(
            "The variable that --key-env names is empty or not set; put the key there."
        )
    if not (secret.isascii() and secret.isprintable()):
        raise click.UsageError(
            "The variable that --key-env names holds signs that no key has; copy the key again."
        )
    return secret


def deployment_of(name: str | None) -> str | None:
    """It goes into a header."""
    if name is not None and not (
        name.isascii() and name.isprintable() and name.strip() == name != ""
    ):
        raise click.UsageError(
            "--deployment holds signs that no deployment's name has; write it as in its YAML."
        )
    return name
