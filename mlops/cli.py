"""The command line: ``mlops COMMAND --help`` says what each takes."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import orjson

from azureml_scoring import settings
from azureml_scoring.errors import StartupError
from azureml_scoring.quantities import PORT, PROCESS_ID, WORKERS
from mlops import extras, failure
from mlops.column_options import column_options, told
from mlops.plain_text import plain
from mlops.quantity_options import QuantityType

FOLDER = click.Path(path_type=Path, file_okay=False)
EXISTING = click.Path(path_type=Path, exists=True)


ELSEWHERE = {
    "artifact": "mlops.project.commands",
    "compare": "mlops.rollout.compare_command",
    "drift": "mlops.drift_command",
    "load": "mlops.load.commands",
    "names": "mlops.project.commands",
    "rehearse": "mlops.rehearsal.commands",
    "rollback": "mlops.rollout.rollback_command",
    "rollout": "mlops.rollout.rollout_command",
    "simulate": "mlops.hpa.commands",
    "slo": "mlops.soak.commands",
}
"""Commands that have a module of their own."""


def printable(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse a name or version with characters that can't be printed: it goes into file names, JSON
    and terminals."""
    if value is not None and not value.isprintable():
        raise click.BadParameter(
            "It holds characters that can't be printed; write letters and digits.", ctx, param
        )
    return value


class _Commands(click.Group):
    """What a command needs is imported when that one is run: all of it takes two seconds. What it
    raises is told in one sentence, whatever it is."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            vars(error).update(message=plain(error.message))  # which click declares final
            raise
        except failure.PASSED_ON:
            raise
        except (
            BaseException
        ) as error:  # also SystemExit, of a model's: a command ends by click's own Exit
            if ctx.params["debug"]:
                traceback.print_exc()
            raise click.ClickException(failure.sentence(error, ctx.invoked_subcommand)) from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *ELSEWHERE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in ELSEWHERE:
            found: click.Command = getattr(importlib.import_module(ELSEWHERE[cmd_name]), cmd_name)
            return found
        return super().get_command(ctx, cmd_name)


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True}
)
@click.version_option(package_name=extras.NAME)
@click.option("--debug", is_flag=True, help="Show the traceback of what goes wrong.")
def main(debug: bool) -> None:
    """Package a scikit-learn model for Azure ML, and serve it on this machine."""
    if (folder := os.getcwd()) not in sys.path:  # of a training script, with the model's modules
        sys.path.append(folder)


@main.command()
@click.argument("model", type=EXISTING)
@click.option(
    "--sample",
    type=EXISTING,
    required=True,
    help="Rows like those to come: .csv, .json, .parquet or .npy.",
)
@click.option("--out", type=FOLDER, required=True, help="The artifact folder to write.")
@click.option("--name", callback=printable, help="Model name; by default the file's.")
@click.option("--version", callback=printable, help="Model version; by default 1.")
@click.option(
    "--drop",
    multiple=True,
    metavar="COLUMN",
    help="Leave out a column of the sample, such as the target.",
)
@column_options
@click.option(
    "--golden-rows",
    metavar="synthetic|sample|FILE",
    default="synthetic",
    help="Golden rows: made up like the sample's, ten rows of the sample, or the rows of a file.",
)
@click.option(
    "--not-cacheable",
    is_flag=True,
    help="Its answers depend on more than the request, such as the time.",
)
@click.option(
    "--trust",
    multiple=True,
    metavar="TYPE",
    help="A type that a .skops file may hold and skops does not trust.",
)
@click.option("--force", is_flag=True, help="Replace the artifact folder.")
def package(
    model: Path,
    sample: Path,
    out: Path,
    name: str | None,
    version: str | None,
    drop: tuple[str, ...],
    text: tuple[str, ...],
    dtype: tuple[str, ...],
    golden_rows: str,
    not_cacheable: bool,
    trust: tuple[str, ...],
    force: bool,
) -> None:
    """Write the artifact folder of MODEL: a file that joblib, pickle or skops wrote, or an MLflow
    folder.

    The folder holds the model and a manifest: checksums, versions, what the model takes, and golden
    rows with their answers, which the service tries before it takes requests. MODEL is unpickled
    here, so give only one that you trust.

    Example: mlops package model.joblib --sample train.csv --drop target --out artifact
    """
    from mlops import golden_rows as golden
    from mlops import sample as samples
    from mlops.package import package as package_model

    rows = samples.load(sample)
    columns = {str(column): column for column in rows.columns}
    unknown = [name for name in drop if name not in columns]
    if unknown:
        raise StartupError(
            f"--drop names {', '.join(unknown)}, which the sample lacks; it has "
            f"{', '.join(columns)}."
        )
    made = package_model(
        model,
        rows.drop(columns=[columns[name] for name in drop]),
        out,
        told=told(text, dtype),
        golden_rows=golden.given(golden_rows, drop),
        name=name,
        version=version,
        force=force,
        cacheable=not not_cacheable,
        trust=trust,
        say=click.echo,
    )
    _packaged(made.model_name, made.model_version, out, trust)


@main.command()
@click.option("--out", type=FOLDER, required=True, help="The artifact folder to write.")
@click.option("--version", default="v1.0.0", callback=printable, help="Model version.")
@click.option("--force", is_flag=True, help="Replace the artifact folder.")
def demo(out: Path, version: str, force: bool) -> None:
    """Train and package the demo model, a classifier on scikit-learn's diabetes data."""
    from mlops import demo as demos

    made = demos.make(out, version=version, force=force, say=click.echo)
    _packaged(made.model_name, made.model_version, out)


@main.command("example")
@click.argument("model_dir", type=EXISTING)
@click.option("--url", help="Print a curl command for the server there.")
def example_(model_dir: Path, url: str | None) -> None:
    """Print a request that the model in MODEL_DIR answers."""
    if url and not url.isprintable():
        raise click.UsageError("The URL is not an address; give one as http://localhost:5001.")
    from mlops.example import curl, example

    body = example(settings.load(os.environ | {"AZUREML_MODEL_DIR": str(model_dir)}))
    click.echo(curl(body, url) if url else orjson.dumps(body).decode())


@main.command("serve")
@click.option(
    "--model-dir",
    type=EXISTING,
    required=True,
    help="The model, or its folder; need not be packaged.",
)
@click.option("--port", type=QuantityType(PORT), default=5001)
@click.option(
    "--workers",
    type=QuantityType(WORKERS),
    default=1,
    help="Worker processes, each with a model of its own.",
)
@click.option(
    "--cache",
    type=click.Choice(["auto", "off", "memory", "redis"]),
    default="auto",
    help="Response cache. auto: SCORING_CACHE; if unset, redis if REDIS_HOST or REDIS_URL is set, "
    "else memory. redis: the one they name, else one that is started here.",
)
@click.option(
    "--dashboard", is_flag=True, help="With /dashboard, a page that shows what the server does."
)
def serve_(model_dir: Path, port: int, workers: int, cache: str, dashboard: bool) -> None:
    """Serve a model on this machine, and print a curl once it is ready."""
    from mlops.serve import serve

    serve(model_dir, port=port, workers=workers, cache=cache, dashboard=dashboard)


@main.command("score")
@click.argument(
    "file", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True)
)
@click.option(
    "--url",
    required=True,
    help="The server, such as https://NAME.REGION.inference.ml.azure.com/score.",
)
@click.option(
    "--key-env", "--token-env", "secret_env", metavar="VAR", help="Variable with the key or token."
)
@click.option("--deployment", help="Ask this deployment, whatever the traffic says.")
@click.option(
    "--model-dir",
    type=EXISTING,
    help="The model's folder here; it says how to read a CSV's columns.",
)
@column_options
def score_(
    file: Path,
    url: str,
    secret_env: str | None,
    deployment: str | None,
    model_dir: Path | None,
    text: tuple[str, ...],
    dtype: tuple[str, ...],
) -> None:
    """Print predictions for FILE, each as a line of JSON.

    FILE is a request body (.json, or - for standard input), sent as it is, or rows (.csv, .jsonl,
    .parquet, .npy), sent by 100. The exit status is 1 where the server refuses; predictions for the
    rows before are printed by then.

    Example: mlops score --url http://localhost:5001 rows.csv
    """
    try:
        from mlops.score import score
    except ModuleNotFoundError:
        raise click.ClickException(
            f"mlops score needs httpx; run `{extras.command('deploy')}`."
        ) from None
    score(file, url, secret_env, deployment, model_dir, told(text, dtype))


@main.command()
@click.argument("paths", type=EXISTING, nargs=-1, metavar="[PATH]...")
def check(paths: tuple[Path, ...]) -> None:
    """Check the YAML of endpoints, deployments, environments and models, without Azure.

    PATH: files, or folders at any depth; else endpoints/. Each is loaded as `az ml` does, then held
    to what Azure would refuse later, or never, such as a deadline past the request's timeout or a
    secret in plain text. Without PATH the names are compared with scoring.toml too, and the sample
    requests with the model in artifact/.
    """
    from mlops.check import run
    from mlops.project import names, project_file

    given = run.files(paths or [Path("endpoints")])
    problems = run.check(given)
    if not paths and project_file.FILE.exists():
        problems += names.check(Path(), project_file.read().names)
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        raise click.ClickException(f"{len(problems)} to correct.")
    click.echo(f"{len(given)} files, nothing to correct.")


@main.command("local-redis", hidden=True)
@click.argument("parent", type=QuantityType(PROCESS_ID))
def local_redis_(parent: int) -> None:
    from mlops import local_redis

    local_redis.run(parent)


@main.command("announce", hidden=True)
@click.argument("server", type=QuantityType(PROCESS_ID))
@click.option("--port", type=QuantityType(PORT), required=True)
def announce_(server: int, port: int) -> None:
    from mlops.serve import announce

    warnings.simplefilter("ignore")
    logging.disable()
    said = announce(settings.load(os.environ), f"http://localhost:{port}", server)
    if said:
        click.echo(said)


def _packaged(name: str, version: str, out: Path, trusted: Sequence[str] = ()) -> None:
    setting = f"SCORING_SKOPS_TRUSTED_TYPES={','.join(trusted)} " if trusted else ""
    click.echo(f"Packaged {name} {version}. Serve it: {setting}mlops serve --model-dir {out}")
