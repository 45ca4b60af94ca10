"""An endpoint for tests of the command line: it has a state and takes traffic, and deploys
nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from click.testing import CliRunner

from mlops.cli import main
from mlops.endpoint import EndpointAnswer, Source, State, Status, Traffic
from mlops.rollout.journal import Journal
from mlops.rollout.model_reference import Registered
from mlops.rollout.record import Record, RolloutPhase
from mlops.traffic_blocks import TrafficBlock

WORKSPACE: Mapping[str, str | None] = {
    "AZURE_SUBSCRIPTION_ID": "s",
    "AZURE_RESOURCE_GROUP": "g",
    "AZURE_WORKSPACE": "w",
    "LOG_ANALYTICS_WORKSPACE_ID": "l",
}
GREEN = "name: green\nendpoint_name: diabetes\nmodel: azureml:diabetes-classifier:2\n"
ROLLING = Record(
    "run-1", RolloutPhase.ROLLING, "blue", "green", "ci", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
)
"""The record in an endpoint's tags while a rollout from blue to green is under way."""

SOURCE = Source(
    "azureml:diabetes:6",
    "azureml:source:3",
    "azureml:scoring:2",
    "endpoints/blue-deployment.yml",
    "0123abcd",
)
"""What an old deployment was made of."""


class Still:
    """An endpoint with a fixed state that only takes traffic."""

    name = "diabetes"

    def __init__(self, live: Mapping[str, int]) -> None:
        self.in_force = Traffic(live)
        self.tags: Mapping[str, str] = {}
        self.made_of = Source(model="azureml:diabetes-classifier:1")

    def deployments(self) -> Mapping[str, State]:
        return {"blue": State.READY, "green": State.READY}

    def traffic(self) -> Traffic:
        return self.in_force

    def status(self) -> Status:
        return Status(self.in_force, self.tags)

    def update(self, change: Callable[[Status], Status]) -> None:
        status = change(self.status())
        self.in_force, self.tags = status.traffic, status.tags

    def source(self, deployment: str) -> Source:
        return self.made_of

    def deploy(self, deployment: str, source: Source | None = None) -> None:
        raise AssertionError("nothing is to be deployed")

    def delete(self, deployment: str) -> None:
        raise AssertionError("nothing is to be deleted")

    def copy_autoscale(self, old: str, new: str, *, floor: bool = False) -> None:
        raise AssertionError("nothing is to be scaled")

    def remove_autoscale(self, deployment: str) -> None:
        pass

    def logs(self, deployment: str) -> str:
        return ""

    def score(self, body: bytes, deployment: str | None = None) -> EndpointAnswer:
        return EndpointAnswer(200, b'{"predictions": [1]}', 1.0)

    def blocks(self, since: float) -> Sequence[TrafficBlock]:
        return []


class Described:
    """Models of a workspace, all of them described by what lies in ``folder``; the latest is
    version 8."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def version(self, model: Registered) -> Registered:
        return replace(model, version=model.version or "8", label=None)

    def describe(self, model: Registered, folder: Path) -> None:
        for name in ("manifest.json", "MLmodel"):
            if (self.folder / name).exists():
                (folder / name).write_bytes((self.folder / name).read_bytes())


def half_way() -> Still:
    """Return an endpoint half-way from blue to green."""
    made = Still({"blue": 50, "green": 50})
    made.tags = ROLLING.on({"team": "risk"})
    made.made_of = Source()
    return made


def record(endpoint: Still) -> Record:
    found = Record.read(endpoint.tags, endpoint.name)
    assert found
    return found


def mlops(*words: str | Path, env: Mapping[str, str | None] = WORKSPACE) -> tuple[int, str]:
    """Run a command; return its exit status and output."""
    result = CliRunner().invoke(main, [str(word) for word in words], env=env)
    return result.exit_code, result.output


def started(file: Path, key: str = "v2") -> Journal:
    journal = Journal(file)
    journal.write(
        "started",
        key=key,
        run=ROLLING.run,
        endpoint="diabetes",
        plan={"old": "blue", "new": "green"},
    )
    return journal
