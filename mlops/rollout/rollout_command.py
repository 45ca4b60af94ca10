"""``mlops rollout``."""

from __future__ import annotations

import functools
from pathlib import Path

import click

from azureml_scoring.quantities import COUNT, MILLISECONDS, MINUTES, SHARE, WHOLE_PERCENT
from mlops import output
from mlops.exit_status import ExitStatus
from mlops.quantity_options import QuantityType
from mlops.rollout import regions, run_rollout, targets
from mlops.rollout.dry_run import say_plan, say_power
from mlops.rollout.journal import Journal, RolloutOutcome
from mlops.rollout.options import FILE, MODEL_DIR, OUT, in_workspace, journal_of
from mlops.rollout.plan import Check, Inconclusive, Plan, steps
from mlops.rollout.preparation import Preparation
from mlops.rollout.rules import Rules
from mlops.slo import Slo

CHECK = click.Choice([str(check) for check in Check])
STATUSES = {
    RolloutOutcome.PROMOTED: ExitStatus.DONE,
    RolloutOutcome.HELD: ExitStatus.DONE,
    RolloutOutcome.INCONCLUSIVE: ExitStatus.UNDECIDED,
}
DEFAULT_SHARES = "10,50,100"


def _shares(_: click.Context, __: click.Parameter, value: str) -> list[int]:
    try:
        shares = [int(WHOLE_PERCENT.parse(share)) for share in value.split(",")]
    except ValueError:
        shares = []
    if not shares or sorted(set(shares)) != shares or not 0 < shares[0] <= shares[-1] <= 100:
        raise click.BadParameter(
            f"give whole percentages that rise, up to 100, such as {DEFAULT_SHARES}."
        )
    return shares


@click.command()
@click.argument("deployment_file", type=FILE)
@click.option(
    "--plan",
    "only_plan",
    is_flag=True,
    help="Print the steps and do nothing. This works without Azure.",
)
@click.option(
    "--power",
    "only_power",
    is_flag=True,
    help="Say what the last hour's traffic could prove, and in which time, and do nothing.",
)
@click.option(
    "--hold",
    type=QuantityType(WHOLE_PERCENT.within(1, 99)),
    help="Stop when the new deployment has this share of the traffic, as for an A/B test.",
)
@click.option(
    "--traffic",
    default=DEFAULT_SHARES,
    callback=_shares,
    help="Shares of the traffic that the new deployment gets, one after the other.",
)
@click.option(
    "--mirror",
    type=QuantityType(WHOLE_PERCENT.within(0, 50)),
    default=10,
    help="Share of the requests that is mirrored to the new deployment first; 0 for none.",
)
@click.option(
    "--step-minutes",
    type=QuantityType(MINUTES),
    default=5.0,
    help="How long each share is held at least.",
)
@click.option(
    "--patience-minutes",
    type=QuantityType(MINUTES),
    default=60.0,
    help="How long a share is held for enough requests to judge it.",
)
@click.option(
    "--keep-minutes",
    type=QuantityType(MINUTES),
    default=30.0,
    help="How long the old deployment is kept before it is deleted.",
)
@click.option(
    "--control",
    type=QuantityType(WHOLE_PERCENT.within(0, 50)),
    default=10,
    help="Share of the traffic that stays on the old deployment until then, to compare with.",
)
@click.option(
    "--inconclusive",
    type=click.Choice([str(answer) for answer in Inconclusive]),
    default=str(Inconclusive.BACK),
    help="What to do about a share that can't be judged by then: give all traffic back, hold the "
    "share for a person to decide, or wait on.",
)
@click.option("--keep-old", is_flag=True, help="Never delete the old deployment.")
@click.option(
    "--requests",
    type=QuantityType(COUNT),
    default=500,
    help="Requests that each deployment must have had before it is judged good.",
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
    "--agreement",
    type=QuantityType(SHARE),
    default=0.95,
    help="Share of predictions that must agree.",
)
@click.option(
    "--artifact",
    type=MODEL_DIR,
    help="Folder of the new model, as packaged; by default its manifest is fetched.",
)
@click.option(
    "--sample",
    type=FILE,
    help="File of rows whose predictions are compared; by default the golden rows.",
)
@click.option(
    "--without",
    type=CHECK,
    multiple=True,
    help="Skip this check. The output and the report name it.",
)
@click.option(
    "--regions",
    "region_file",
    type=FILE,
    help="TOML file of the regions to roll out in, one after the other, and their Front Door; in "
    "place of the options that name a workspace.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=OUT,
    help="Folder of the journal and the report; with --regions, of a folder for each region.",
)
@functools.partial(in_workspace, plans_without=True)
def rollout(
    workspace: targets.Workspace | None,
    deployment_file: Path,
    only_plan: bool,
    only_power: bool,
    hold: int | None,
    traffic: list[int],
    mirror: int,
    step_minutes: float,
    patience_minutes: float,
    keep_minutes: float,
    control: int,
    inconclusive: str,
    keep_old: bool,
    requests: int,
    p95_ms: float,
    p99_ms: float,
    error_rate: float,
    agreement: float,
    artifact: Path | None,
    sample: Path | None,
    without: tuple[str, ...],
    region_file: Path | None,
    out: Path,
) -> None:
    """Bring a new deployment into service, step by step.

    Each step is judged before the next. The deployment in DEPLOYMENT_FILE is deployed without
    traffic, asked its golden rows, gets mirrored requests, then rising shares. It must keep the
    SLO, be no slower, fail no more often and predict the same as the deployment that it replaces.
    After a breach, a timeout or an interrupt all traffic goes back, and the reason is printed. The
    exit status is 0 only if all went well, and 3 if too few requests came to judge by. Run again
    after that or an interrupt, it goes on where it stopped. If a check has no rows to ask, the
    rollout does not begin, unless you waive the check by --without.

    Example: mlops rollout endpoints/green-deployment.yml --sample validation.csv
    """
    document = targets.described(deployment_file)
    regional = regions.read(region_file) if region_file else None
    if regional and (hold or only_power or inconclusive == Inconclusive.HOLD):
        raise click.UsageError(
            "--regions goes on by itself, and --hold, --inconclusive hold and --power are for a "
            "person to look at one region; name its workspace instead."
        )
    places = [(workspace, out)]
    if regional:
        places = [(region.workspace, out / region.name) for region in regional.region]
    journals = [journal_of(folder, document["endpoint_name"]) for _, folder in places]
    for journal in journals:
        Journal(journal).check()
        output.check(journal.with_suffix(".html"))
    waived = tuple(check for check in Check if check in without)
    if sample and Check.PREDICTIONS in waived:
        raise click.UsageError(
            "--sample gives rows to compare predictions by, which --without predictions waives."
        )
    prepared = Preparation(document, deployment_file, artifact, sample, waived)
    shares = [*(share for share in traffic if share < hold), hold] if hold else traffic
    plan = functools.partial(
        Plan,
        new=document["name"],
        steps=steps(mirror, shares, delete=not keep_old, golden=Check.GOLDEN not in waived),
        hold_s=60 * step_minutes,
        patience_s=60 * patience_minutes,
        keep_s=60 * keep_minutes,
        control=control,
        inconclusive=Inconclusive(inconclusive),
        unchecked=waived,
    )
    if only_plan:
        for place, _ in places:
            say_plan(plan, prepared, place, agreement)
        return
    slo = Slo(p95_ms, p99_ms, error_rate)
    rules = Rules(slo, requests=requests, agreement=agreement).paced(60 * step_minutes)
    if regional:
        outcome = run_rollout.run_in_regions(regional, prepared, plan, rules, out)
    else:
        assert workspace  # noqa: S101
        if only_power:
            connect = targets.connector(workspace, document["endpoint_name"], {})
            say_power(connect(), plan, rules)
            return
        outcome = run_rollout.run(workspace, prepared, plan, rules, journals[0])
    click.get_current_context().exit(STATUSES.get(outcome, ExitStatus.NO))
