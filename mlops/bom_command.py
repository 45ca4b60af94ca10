"""The command ``mlops bom``."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("artifact", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    metavar="FILE",
    help="Name this file as data of the model, by its sha256.",
)
@click.option(
    "--metric", multiple=True, metavar="NAME=VALUE", help="Name what was measured of the model."
)
@click.option("--card", is_flag=True, help="Print a model card in Markdown in place of the ML-BOM.")
def bom(artifact: Path, data: tuple[Path, ...], metric: tuple[str, ...], card: bool) -> None:
    """Print an ML-BOM of the folder ARTIFACT (CycloneDX 1.6).

    It says what the model takes and gives, and lists its files and libraries. It holds names of
    columns, and no value of anybody's data.

    Example: mlops bom artifact --data train.csv --metric auc=0.93 > bom.json
    """
    from mlops import bom as boms

    metrics = dict(each.partition("=")[::2] for each in metric)
    if not all(metrics) or not all(metrics.values()):
        raise click.UsageError("--metric takes a name and a value; write --metric auc=0.93.")
    document = boms.bom(artifact, data, metrics)
    click.echo(boms.model_card(document) if card else json.dumps(document, indent=1), nl=not card)
