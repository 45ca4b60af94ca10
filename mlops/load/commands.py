"""``mlops load``."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from azureml_scoring import settings
from azureml_scoring.errors import StartupError
from azureml_scoring.quantities import COUNT, MILLISECONDS, PERCENT
from mlops.load import mix, multiples, stages
from mlops.quantity_options import QuantityType


def _parsed(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, str], Any]:
    def callback(_: click.Context, __: click.Parameter, text: str | None) -> Any:
        try:
            return None if text is None else parse(text)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return callback


@click.command()
@click.argument("url")
@click.option(
    "--model-dir",
    type=click.Path(path_type=Path, exists=True),
    required=True,
    help="Folder of the model, from whose golden rows requests are made.",
)
@click.option(
    "--stages",
    "stages_",
    default="30s@50",
    callback=_parsed(stages.parse),
    help="Stages of the load: how long each lasts, at how many requests a second.",
)
@click.option(
    "--open",
    "multiples_",
    metavar="MULTIPLES",
    callback=_parsed(multiples.parse),
    help="In place of stages: measure the server's capacity, offer these multiples of it, such as "
    "0.5,0.9,1.2,2,5, and draw how much is answered in time.",
)
@click.option(
    "--mix",
    "shares",
    default=",".join(f"{kind}={share}" for kind, share in mix.DEFAULT_SHARES.items()),
    callback=_parsed(mix.parse),
    help="Kinds of requests and their shares.",
)
@click.option("--p95-ms", type=QuantityType(MILLISECONDS), default=200, help="SLO: limit of P95.")
@click.option("--p99-ms", type=QuantityType(MILLISECONDS), default=500, help="SLO: limit of P99.")
@click.option(
    "--errors",
    type=QuantityType(PERCENT.within(0, above=True)),
    default=1,
    help="SLO: percentage of the requests that may fail.",
)
@click.option(
    "--availability",
    type=QuantityType(PERCENT.within(0, below=True)),
    default=99.9,
    help="SLO: percentage of the requests that must be answered.",
)
@click.option(
    "--connections",
    type=QuantityType(COUNT.within(1, 10_000)),
    default=200,
    help="Requests sent at the same time. More wait, and their waiting counts as latency.",
)
@click.option(
    "--key-env",
    "--token-env",
    "secret_env",
    metavar="VAR",
    help="Environment variable that holds the key or token.",
)
@click.option("--deployment", help="Deployment to send all requests to, whatever the traffic.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="build/load",
    help="Folder to write the report to.",
)
def load(
    url: str,
    model_dir: Path,
    stages_: tuple[stages.Stage, ...],
    multiples_: list[float] | None,
    shares: dict[mix.RequestKind, int],
    p95_ms: float,
    p99_ms: float,
    errors: float,
    availability: float,
    connections: int,
    secret_env: str | None,
    deployment: str | None,
    out: Path,
) -> None:
    """Put load on the server at URL, and judge how it answers.

    Requests arrive at a constant rate, however slow the answers. The exit status is 1 if an
    objective did not hold in some stage. The report is a page with plots, report.html, next to
    requests.csv with all requests and figures.json. With --open there is no verdict, but a picture
    of what the server does beyond its capacity.

    Example: mlops load http://localhost:5001 --model-dir artifact --p95-ms 99
    """
    from azureml_scoring.client.headers import request_headers
    from mlops.load import overload, report, session
    from mlops.load.figures import Objectives
    from mlops.load.run import LoadPlan
    from mlops.score import address_of, deployment_of, secret_of

    context = click.get_current_context()
    if multiples_ and context.get_parameter_source("stages_") is ParameterSource.COMMANDLINE:
        raise click.UsageError("Give either --stages or --open.")
    address, secret = address_of(url, secret_env), secret_of(secret_env)
    deployment = deployment_of(deployment)
    out.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=out).close()  # before the load, whose report would be lost
    (overload if multiples_ else report).check(out)
    rows = _rows(model_dir, secret_env)
    session.try_one(address, secret, deployment, mix.Mix(rows, shares))
    plan = LoadPlan(
        address, request_headers(secret, deployment), stages_, shares, rows, connections
    )
    if multiples_:
        session.offer_multiples(plan, multiples_, (p95_ms, p99_ms), out)
        return
    objectives = Objectives(p95_ms, p99_ms, errors / 100, availability / 100)
    context.exit(session.hold_objectives(plan, objectives, out))


def _rows(model_dir: Path, secret_env: str | None) -> list[list[Any]]:
    """Return the model's golden rows. Raises StartupError."""
    from mlops import example

    # The secret's variable may have the name of a setting.
    environment = {name: value for name, value in os.environ.items() if name != secret_env}
    rows = example.rows(settings.load(environment | {"AZUREML_MODEL_DIR": str(model_dir)}))
    if len(rows) < 2:
        raise StartupError(
            "A load needs rows that differ, or it measures the cache: package the model with "
            "`mlops package` and a sample of two rows or more, and give that folder."
        )
    return rows
