"""The command line. ``mlops COMMAND --help`` shows the options of a command."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import click
import orjson

from azureml_scoring import settings
from azureml_scoring.quantities import PORT, PROCESS_ID, WORKERS
from mlops import extras, failure
from mlops.column_options import column_options, user_types
from mlops.plain_text import plain
from mlops.quantity_options import QuantityType

EXISTING = click.Path(path_type=Path, exists=True)

COMMAND_MODULES = {
    "artifact": "mlops.project.commands",
    "batch": "mlops.batch.command",
    "bom": "mlops.bom_command",
    "compare": "mlops.rollout.compare_command",
    "demo": "mlops.package_commands",
    "drift": "mlops.drift_command",
    "environment": "mlops.environment_command",
    "load": "mlops.load.commands",
    "names": "mlops.project.commands",
    "package": "mlops.package_commands",
    "quality": "mlops.quality.commands",
    "rehearse": "mlops.rehearsal.commands",
    "rollback": "mlops.rollout.rollback_command",
    "rollout": "mlops.rollout.rollout_command",
    "sign": "mlops.sign_commands",
    "simulate": "mlops.hpa.commands",
    "slo": "mlops.soak.commands",
    "types": "mlops.typed_row",
    "verify": "mlops.sign_commands",
}
"""Commands that have a module of their own, imported when they are used."""


class _Commands(click.Group):
    """The group of all commands.

    It imports only what the chosen command needs, since importing everything takes two seconds.
    Whatever a command raises is reported in one sentence.
    """

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            vars(error).update(message=plain(error.message))  # which click declares final
            raise
        except failure.PASSED_ON:
            raise
        except BaseException as error:  # a model may raise SystemExit; click raises its own Exit
            if ctx.params["debug"]:
                traceback.print_exc()
            raise click.ClickException(failure.sentence(error, ctx.invoked_subcommand)) from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *COMMAND_MODULES])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMAND_MODULES:
            module = importlib.import_module(COMMAND_MODULES[cmd_name])
            command: click.Command = getattr(module, cmd_name)
            return command
        return super().get_command(ctx, cmd_name)


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True}
)
@click.version_option(package_name=extras.NAME)
@click.option("--debug", is_flag=True, help="Show a traceback when a command fails.")
def main(debug: bool) -> None:
    """Package a scikit-learn model for Azure ML, and serve it on this machine."""
    if (folder := os.getcwd()) not in sys.path:  # of a training script, with the model's modules
        sys.path.append(folder)


@main.command("example")
@click.argument("model_dir", type=EXISTING)
@click.option("--url", help="Print a curl command for the server at this URL.")
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
    help="Send rows to this URL, such as https://NAME.REGION.inference.ml.azure.com/score.",
)
@click.option(
    "--key-env",
    "--token-env",
    "secret_env",
    metavar="VAR",
    help="Read the key or token from this environment variable.",
)
@click.option("--deployment", help="Use this deployment, whatever the traffic split.")
@click.option(
    "--model-dir",
    type=EXISTING,
    help="Read a CSV's columns as the model in this local folder takes them.",
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
    """Print predictions for FILE, one line of JSON for each.

    FILE is a request body (.json, or - for standard input), sent unchanged, or rows (.csv, .jsonl,
    .parquet, .npy), sent 100 at a time. The exit status is 1 if the server refuses a request; the
    predictions for the rows before it are still printed.

    Example: mlops score --url http://localhost:5001 rows.csv
    """
    try:
        from mlops.score import score
    except ModuleNotFoundError:
        raise click.ClickException(
            f"mlops score needs httpx; run `{extras.command('deploy')}`."
        ) from None
    score(file, url, secret_env, deployment, model_dir, user_types(text, dtype))


@main.command()
@click.argument("paths", type=EXISTING, nargs=-1, metavar="[PATH]...")
def check(paths: tuple[Path, ...]) -> None:
    """Check the YAML of endpoints, deployments, environments, models and monitors, without Azure.

    PATH is a file, or a folder that is searched at any depth; the default is endpoints/. Each file
    is loaded as `az ml` loads it. Then rules find mistakes that Azure reports later or never, such
    as a deadline longer than the request's timeout, or a secret in plain text. Without PATH, the
    names are also compared with scoring.toml, and the sample requests with the model in artifact/.
    """
    from mlops.check import run
    from mlops.project import names, project_file

    files = run.files(paths or [Path("endpoints")])
    problems = run.check(files)
    if not paths and project_file.FILE.exists():
        problems += names.check(Path(), project_file.read().names)
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        raise click.ClickException(f"{len(problems)} to correct.")
    click.echo(f"{len(files)} files, nothing to correct.")


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
    message = announce(settings.load(os.environ), f"http://localhost:{port}", server)
    if message:
        click.echo(message)
