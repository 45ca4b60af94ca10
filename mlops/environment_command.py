"""The command ``mlops environment``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from mlops.say import on_stderr


@click.command()
@click.argument("artifact", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Write requirements.txt and conda.yml to this folder.",
)
def environment(artifact: Path, out: Path) -> None:
    """Write the lock with the packages of the model in ARTIFACT.

    Those that the model needs beyond the lock are added to it. They are resolved together, with
    hashes; versions of the lock stay as they are. This asks the index of packages. For our image
    give a folder inside of environment/, of which the build sees the requirements.

    Example: mlops environment artifact --out environment/churn
    """
    from mlops import environment as environments

    requirements, conda = environments.write(artifact, out, on_stderr)
    conda_file = Path(os.path.relpath(conda, "endpoints")).as_posix()
    click.echo(f"Wrote {requirements} and {conda}.")
    if Path("environment").resolve() in requirements.resolve().parents:
        click.echo(
            f"Our image: docker build --file environment/Dockerfile --build-arg "
            f"REQUIREMENTS={requirements.as_posix()} ."
        )
    else:
        click.echo("Our image: name a folder in environment/ by --out; its build sees no other.")
    click.echo(f"Azure ML's image: set conda_file in endpoints/environment.yml to {conda_file}")
