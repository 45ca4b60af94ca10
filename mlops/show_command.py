"""The command ``mlops show``."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from mlops.plain_text import plain


@click.command()
@click.argument("artifact", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(artifact: Path, as_json: bool) -> None:
    """Show what the model in the folder ARTIFACT is.

    Its contract, golden rows, engines with their times, libraries, size, and whether it is signed.
    The model is not loaded.

    Example: mlops show artifact --json
    """
    from mlops import show as shows

    facts = shows.facts(artifact)
    if as_json:
        click.echo(orjson.dumps(facts))
        return
    for label, text in shows.table(facts):
        click.echo(f"{label:<11}{plain(text)}")
