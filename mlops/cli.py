"""The command line. ``mlops COMMAND --help`` shows the options of a command."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from pathlib import Path

import click
import orjson

from azureml_scoring import settings
from azureml_scoring.quantities import PORT, PROCESS_ID, WORKERS
from mlops import extras
from mlops.column_options import column_options, user_types
from mlops.command_group import CommandGroup
from mlops.exit_status import ExitStatus
from mlops.failure import CommandError
from mlops.quantity_options import QuantityType

EXISTING = click.Path(path_type=Path, exists=True)


def _print_versions(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from mlops import versions

        click.echo("\n".join(versions.lines()))
        ctx.exit()


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
    epilog="`mlops help COMMAND` shows the options of a command, with an example.",
)
@click.option(
    "-V",
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_versions,
    help="Show the versions that a bug report needs.",
)
@click.option("--debug", is_flag=True, help="Show a traceback when a command fails.")
def main(debug: bool) -> None:
    """Package a scikit-learn model for Azure ML, and serve it on this machine."""
    if (folder := os.getcwd()) not in sys.path:  # of a training script, with the model's modules
        sys.path.append(folder)


@main.command("help", hidden=True)
@click.argument("command", required=False)
@click.pass_context
def help_(ctx: click.Context, command: str | None) -> None:
    """Show the options of COMMAND, with an example.

    Example: mlops help score
    """
    parent = ctx.find_root()
    if command is None:
        click.echo(parent.get_help())
        return
    name, found, _ = main.resolve_command(parent, [command])
    if found:
        click.echo(click.Context(found, info_name=name, parent=parent).get_help())


@main.command("example")
@click.argument("model_dir", type=EXISTING)
@click.option("--url", help="Print a curl command for the server at this URL.")
def example_(model_dir: Path, url: str | None) -> None:
    """Print a request that the model in MODEL_DIR answers.

    Example: mlops example artifact --url http://localhost:5001
    """
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
    """Serve a model on this machine, and print a curl for it.

    The curl is printed once the model is ready. Ctrl-C ends the server.

    Example: mlops serve --model-dir artifact
    """
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
    .parquet, .npy), sent 100 at a time. If the server refuses a request, the predictions for the
    rows before it are still printed.

    Example: mlops score --url http://localhost:5001 rows.csv
    """
    try:
        from mlops.score import score
    except ModuleNotFoundError:
        raise CommandError(
            f"mlops score needs httpx; run `{extras.command('deploy')}`.", ExitStatus.UNUSABLE
        ) from None
    score(file, url, secret_env, deployment, model_dir, user_types(text, dtype))


@main.command()
@click.argument("paths", type=EXISTING, nargs=-1, metavar="[PATH]...")
def check(paths: tuple[Path, ...]) -> None:
    """Check the YAML files of Azure ML, without Azure.

    They describe endpoints, deployments, environments, models and monitors. PATH is a file, or a
    folder that is searched at any depth; the default is endpoints/. Each file is loaded as `az ml`
    loads it. Then rules find mistakes that Azure reports later or never, such as a deadline longer
    than the request's timeout, or a secret in plain text. Without PATH, the names are also compared
    with scoring.toml, and the sample requests with the model in artifact/.

    Example: mlops check endpoints/green-deployment.yml
    """
    from mlops.check import run
    from mlops.project import names, project_file

    files = run.files(paths or [Path("endpoints")])
    problems = run.check(files)
    if not paths and project_file.FILE.exists():
        problems += names.check(Path(), project_file.read().names)
    for problem in problems:
        click.echo(problem)
    if problems:
        raise CommandError(f"{len(problems)} to correct.", ExitStatus.NO)
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
