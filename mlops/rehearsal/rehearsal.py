"""Runs the rollouts' controller against real servers on this machine, and checks that each green
ends as it must and that no more clients fail than the new deployment's share of the traffic."""

from __future__ import annotations

import functools
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from azureml_scoring.models.files.manifest import Manifest
from mlops import output
from mlops.endpoint import State, Status, Traffic
from mlops.rehearsal.clients import Clients, clients
from mlops.rehearsal.greens import GREENS, Green, artifact, data
from mlops.rehearsal.local_endpoint import LocalEndpoint
from mlops.rollout.guard import Task, guarded
from mlops.rollout.journal import Event, Journal, RolloutOutcome
from mlops.rollout.plan import Action, Plan, Step, steps
from mlops.rollout.questions import Questions
from mlops.rollout.rules import Rules

OLD, NEW = "blue", "green"
JOURNAL = "journal.jsonl"

PLAN = Plan(OLD, NEW, steps(), hold_s=1, keep_s=1)
RULES = Rules(requests=30, block_s=0.5, warm_up_s=1)


@dataclass(frozen=True)
class RehearsalResult:
    """How a rehearsal went. ``problems``: what should not have happened, in sentences."""

    outcome: RolloutOutcome
    reason: str
    requests: int
    failures: int
    problems: Sequence[str]
    journal: Path


def check(name: str, folder: Path) -> None:
    """Refuse a folder if a rehearsal would overwrite a file not its own. Raises StartupError."""
    place = folder / name
    for file in (folder / f"{name}.html", place / f"{OLD}.log", place / f"{NEW}.log"):
        output.check(file)
    Journal(place / JOURNAL).check()


def rehearse(name: str, url: str, folder: Path, follow: Callable[[Event], None]) -> RehearsalResult:
    """Rehearse one green on the stage at ``url``; models, logs and the journal go to ``folder``.
    Raises StartupError, EndpointError."""
    green, place = GREENS[name], folder / name
    check(name, folder)
    place.mkdir(parents=True, exist_ok=True)
    journal = place / JOURNAL
    journal.unlink(missing_ok=True)
    artifacts = {
        OLD: artifact(folder / "models", GREENS["good"]),
        NEW: artifact(folder / "models", green),
    }
    rows = data()[0].to_numpy().tolist()
    endpoint = LocalEndpoint(url, artifacts, place)
    set_up(endpoint)
    task = Task(
        connect=functools.partial(LocalEndpoint, url, artifacts, place),
        plan=replace(PLAN, patience_s=green.patience_s),
        rules=RULES,
        questions=Questions.of(Manifest.read(artifacts[NEW].folder), Questions(rows=rows[:100])),
        journal=journal,
        key=name,
        follow=_Killing(follow) if green.kills_controller else follow,
    )
    with clients(url, rows, green.requests_per_s) as asking:
        outcome = guarded(task)
    live = endpoint.traffic().live
    ended = Journal(journal).last()[-1]
    problems = [
        *_outcome_problems(green, outcome, str(ended["reason"]), dict(live)),
        *_failures(asking, journal),
    ]
    failures = sum(request.status != 200 for request in asking.requests)
    return RehearsalResult(
        outcome, str(ended["reason"]), len(asking.requests), failures, problems, journal
    )


def set_up(endpoint: LocalEndpoint) -> None:
    """Leave only the old deployment, with all traffic, whatever rollouts were before."""
    if endpoint.deployments().get(OLD) is not State.READY:
        endpoint.deploy(OLD)
    endpoint.update(lambda _: Status(Traffic({OLD: 100}), {}))
    endpoint.delete(NEW)


class _Killing:
    """Follows a rollout, and kills its process once the new deployment has half of the traffic."""

    def __init__(self, follow: Callable[[Event], None]) -> None:
        self._follow = follow

    def __call__(self, event: Event) -> None:
        self._follow(event)
        if event["event"] == "traffic" and event["share"] == 50:
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGKILL)).start()


def _outcome_problems(
    green: Green, outcome: RolloutOutcome, reason: str, live: dict[str, int]
) -> list[str]:
    wanted = NEW if green.ends is RolloutOutcome.PROMOTED else OLD
    problems = []
    if outcome is not green.ends:
        problems.append(f"it ended {outcome}, not {green.ends}")
    if green.why not in reason:
        problems.append(f"the reason does not speak of {green.why}: {reason}")
    if live != {wanted: 100}:
        problems.append(f"the traffic in the end is {live}")
    return problems


def _failures(asking: Clients, journal: Path) -> list[str]:
    """Check that only requests in the new deployment's share of each step failed."""
    problems = []
    bounds = [
        (event["at"], _share(event))
        for event in Journal(journal).last()
        if event["event"] in ("step", "ended")
    ]
    for (begin, share), (end, _) in zip(
        [(0.0, 0), *bounds], [*bounds, (float("inf"), 0)], strict=True
    ):
        meanwhile = [
            request for request in asking.requests if begin <= asking.began + request.due_s < end
        ]
        failed = [request for request in meanwhile if request.status != 200]
        strays = [request for request in failed if request.deployment != NEW]
        if strays or len(failed) > len(meanwhile) * share / 100 + 1:
            problems.append(
                f"{len(failed)} of {len(meanwhile)} clients failed while {NEW} had {share} %"
            )
    return problems


def _share(event: Event) -> int:
    """Return the new deployment's largest share of the traffic from ``event`` on, in percent."""
    if event["event"] == "ended":
        return 100 if event["outcome"] == RolloutOutcome.PROMOTED else 0
    step = event["step"]
    return PLAN.traffic(Step(Action(step["action"]), step["percent"])).live.get(NEW, 0)
