"""``mlops simulate``."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

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

PLACE = click.Path(path_type=Path, exists=True, allow_dash=True)
MIB = 2**20


@click.command()
@click.argument("manifests", nargs=-1, required=True, type=PLACE)
@click.option(
    "--load",
    default="spike",
    help="step, spike, ramp, daily, or a CSV file: seconds,requests_per_second.",
)
@click.option(
    "--base", type=QuantityType(PER_SECOND), default=20.0, help="Least requests/s of a named load."
)
@click.option(
    "--peak", type=QuantityType(PER_SECOND), default=400.0, help="Most requests/s of a named load."
)
@click.option(
    "--minutes",
    type=QuantityType(WHOLE_MINUTES),
    help="Length of a named load; by default 30, for daily a day.",
)
@click.option(
    "--compare",
    multiple=True,
    metavar="KEY=VALUE[,...]",
    help="Also simulate the first manifest with this change.",
)
@click.option(
    "--service-ms",
    type=QuantityType(MILLISECONDS),
    default=20.0,
    help="Time of one core for a request: the stage predict in /metrics.",
)
@click.option(
    "--start-seconds",
    type=QuantityType(SECONDS),
    default=40.0,
    help="Time until a new pod is ready, and a new node if it needs one.",
)
@click.option(
    "--memory-mib",
    type=QuantityType(MEBIBYTES),
    default=300.0,
    help="Memory that a pod uses, whatever the load.",
)
@click.option("--p95-ms", type=QuantityType(MILLISECONDS), default=200.0, help="SLO.")
@click.option("--p99-ms", type=QuantityType(MILLISECONDS), default=500.0, help="SLO.")
@click.option("--error-rate", type=QuantityType(SHARE), default=0.01, help="SLO.")
@click.option("--picture", type=click.Choice(["svg", "png"]), default="svg")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="build/simulation",
    help="Folder for tables and picture.",
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
    """Show what the autoscaler in MANIFESTS would do with a load, and what requests would see of
    it.

    MANIFESTS are files or folders with a HorizontalPodAutoscaler, or KEDA's ScaledObject, and the
    Deployment that it names; - reads what kustomize renders. The autoscaler is computed as
    Kubernetes does; the pods are a model (docs/kubernetes.md says which), and no cluster is asked.

    Example: mlops simulate kubernetes/base --load spike --compare maxReplicas=20 --compare cpu=50
    """
    from mlops.hpa import manifest, results
    from mlops.hpa import picture as pictures
    from mlops.hpa.pod import PodModel
    from mlops.hpa.simulation import simulate
    from mlops.slo import Slo

    found = manifest.read(manifests)
    setups = [each.setup() for each in found]
    setups += [found[0].but(changes).setup() for changes in compare]
    arriving = _load(load, base, peak, minutes)
    timelines = []
    for setup in setups:
        model = PodModel(
            cores=float(setup.cores),
            service=service_ms / 1000,
            start=start_seconds,
            memory=memory_mib * MIB,
            held=setup.configured.scoring_max_in_flight * setup.configured.worker_count,
            queue_timeout=setup.configured.scoring_queue_timeout_ms / 1000,
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
            raise StartupError(
                f"--peak is {peak:g}, below --base, which is {base:g}; correct one of them."
            )
        return loads.named(name, base=base, peak=peak, minutes=minutes)
    if not Path(name).is_file():
        raise StartupError(
            f"There is no load {name}; name {', '.join(loads.SHAPES)} or a CSV file."
        )
    return loads.trace(Path(name))
