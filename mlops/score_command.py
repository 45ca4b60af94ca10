"""``mlops score``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import orjson

from errors import StartupError
from mlops import sample as samples

ROWS = 100
"""In a request: what the service takes unless it is told otherwise."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True))
@click.option("--url", required=True, help="The scoring URI, as https://NAME.REGION.inference.ml.azure.com/score")
@click.option("--key-env", metavar="VARIABLE", help="The environment variable that holds the key or token.")
@click.option("--deployment", help="Ask this one, whatever the traffic says.")
def score(file: Path, url: str, key_env: str | None, deployment: str | None) -> None:
    """Send FILE to an endpoint and print a prediction a line, as JSON.

    FILE is a request in .json, or - for one on standard input; or rows in .csv, .parquet or .npy, sent by the hundred.
    What the endpoint hides behind a 424 is told. 429 and 503 are asked again after as long as they say.

    Example: mlops score sample.csv --url https://diabetes.westeurope.inference.ml.azure.com/score --key-env KEY
    """
    from mlops.score_client import Client, Refused

    key = os.environ.get(key_env) if key_env else None
    if key_env and not key:
        raise click.UsageError(f"The environment variable {key_env} is not set; put the key there.")
    client = Client(url, key, deployment)
    try:
        documents = list(_documents(file))
        with click.progressbar(documents, file=sys.stderr, hidden=len(documents) == 1) as progress:
            for document in progress:
                for prediction in client.predictions(document):
                    click.echo(orjson.dumps(prediction))
    except (Refused, StartupError) as error:
        raise click.ClickException(str(error)) from None


def _documents(file: Path) -> Iterator[Any]:
    """Raises StartupError."""
    if str(file) == "-" or file.suffix == ".json":
        sent = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        try:
            yield orjson.loads(sent)
        except orjson.JSONDecodeError as error:
            raise StartupError(f"{file} is not valid JSON ({error}); correct it.") from None
        return
    frame = samples.read(file)
    rows, named = samples.rows_of(frame), all(isinstance(name, str) for name in frame.columns)
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        yield {"input_data": {"columns": list(frame.columns), "data": part}} if named else {"data": part}
