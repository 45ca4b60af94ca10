"""``mlops simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from azureml_scoring.errors import StartupError
from azureml_scoring.quantities import (
    MEBIBYTES,
    MILLISECONDS,
    PER_SECOND,
    SECONDS,
    SHARE,
    WHOLE_MINUTES,
)
from mlops import output
from mlops.quantity_options import QuantityType

if TYPE_CHECKING:
    import numpy as np

MANIFEST = click.Path(path_type=Path, exists=True, allow_dash=True)
MIB = 2**20


@click.command()
@click.argument("manifests", nargs=-1, required=True, type=MANIFEST)
@click.option(
    "--load",
    default="spike",
    help="The load: step, spike, ramp, daily, or a CSV file with the columns seconds and "
    "requests_per_second.",
)
@click.option(
    "--base", type=QuantityType(PER_SECOND), default=20.0, help="Lowest rate of a named load."
)
@click.option(
    "--peak", type=QuantityType(PER_SECOND), default=400.0, help="Highest rate of a named load."
)
@click.option(
    "--minutes",
    type=QuantityType(WHOLE_MINUTES),
    help="Length of a named load; by default half an hour, for daily a day.",
)
@click.option(
    "--compare",
    multiple=True,
    metavar="KEY=VALUE[,...]",
    help="Simulate the first manifest once more, with these settings changed.",
)
@click.option(
    "--service-ms",
    type=QuantityType(MILLISECONDS),
    default=20.0,
    help="Time that one core takes for a request: the stage predict in /metrics.",
)
@click.option(
    "--start-seconds",
    type=QuantityType(SECONDS),
    default=40.0,
    help="Time until a new pod is ready, including a new node if it needs one.",
)
@click.option(
    "--memory-mib",
    type=QuantityType(MEBIBYTES),
    default=300.0,
    help="Memory that a pod uses, at any load.",
)
@click.option("--p95-ms", type=QuantityType(MILLISECONDS), default=200.0, help="SLO: limit of P95.")
@click.option("--p99-ms", type=QuantityType(MILLISECONDS), default=500.0, help="SLO: limit of P99.")
@click.option(
    "--error-rate",
    type=QuantityType(SHARE),
    default=0.01,
    help="SLO: share of the requests that may fail.",
)
@click.option(
    "--picture",
    type=click.Choice(["svg", "png"]),
    default="svg",
    help="Format of the picture.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="build/simulation",
    help="Folder to write the tables and the picture to.",
)
def simulate(
    manifests: tuple[Path, ...],
    load: str,
    base: float,
    peak: float,
    minutes: int | None,
    compare: tuple[str, ...],
    service_ms: float,
    start_seconds: float,
    memory_mib: float,
    p95_ms: float,
    p99_ms: float,
    error_rate: float,
    picture: str,
    out: Path,
) -> None:
    """Simulate what an autoscaler does with a load.

    MANIFESTS are files or folders with a HorizontalPodAutoscaler, or KEDA's ScaledObject, and the
    Deployment that it names; - reads standard input, such as kustomize's output. The autoscaler is
    computed as Kubernetes does; the pods are a model (see docs/kubernetes.md). No cluster is
    needed.

    Example: mlops simulate kubernetes/base --load spike --compare cpu=50
    """
    from mlops.hpa import manifest, results
    from mlops.hpa import picture as pictures
    from mlops.hpa.pod import PodModel
    from mlops.hpa.simulation import simulate
    from mlops.slo import Slo

    scalers = manifest.read(manifests)
    setups = [scaler.setup() for scaler in scalers]
    setups += [scalers[0].but(changes).setup() for changes in compare]
    arriving = _load(load, base, peak, minutes)
    timelines = []
    for setup in setups:
        model = PodModel(
            cores=float(setup.cores),
            service=service_ms / 1000,
            start=start_seconds,
            memory=memory_mib * MIB,
            held=setup.configured.scoring_max_in_flight * setup.configured.worker_count,
            objective=setup.configured.scoring_latency_objective_ms / 1000,
        )
        timelines.append(simulate(setup, model, arriving))
    slo = Slo(p95_ms, p99_ms, error_rate)
    click.echo(results.lines(results.summary(timelines, slo)))
    drawn = out / f"simulation.{picture}"
    tables = {out / name: text for name, text in results.tables(timelines, slo).items()}
    known = {file: output.table(text.partition("\n")[0].encode()) for file, text in tables.items()}
    try:
        for file in (drawn, *tables):
            output.check(file, known.get(file, output.marked))
        for file, text in tables.items():
            output.write(file, text, known[file])
        output.write(drawn, pictures.draw(timelines, slo, picture))
    except OSError as error:
        raise StartupError(f"{error.filename}: {error.strerror}; choose another --out.") from None
    click.echo(f"\nPicture: {drawn}\nTables: {', '.join(map(str, tables))}")


def _load(name: str, base: float, peak: float, minutes: int | None) -> np.ndarray:
    from mlops.hpa import loads

    if name in loads.SHAPES:
        if peak < base:
            raise StartupError(f"--peak, {peak:g}, is below --base, {base:g}; correct one of them.")
        return loads.named(name, base=base, peak=peak, minutes=minutes)
    if not Path(name).is_file():
        raise StartupError(
            f"There is no load {name}; name {', '.join(loads.SHAPES)} or a CSV file."
        )
    return loads.trace(Path(name))
