"""Rollback over the clients that users have, as they call it, from a folder that knows of no
rollout."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from arm.https import Request
from arm.resource_manager import PREFIX
from arm.rollout import roll_out
from arm.setting import BLUE, DEPLOYMENT, ENDPOINT, Setting
from mlops.cli import main
from mlops.endpoint import EndpointError, Source, State, Status, Traffic, direct
from mlops.exit_status import ExitStatus
from mlops.rollout import azure_endpoint, targets
from mlops.rollout.journal import RolloutOutcome
from mlops.rollout.record import Record, RolloutPhase
from still_endpoint import WORKSPACE

Rollback = Callable[..., tuple[int, str]]


@pytest.fixture
def roll_back(live: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rollback:
    """``mlops rollback credit`` in another folder. -> its exit status and what it says."""
    (tmp_path / "another").mkdir()
    monkeypatch.chdir(tmp_path / "another")
    monkeypatch.setattr(targets, "connector", lambda *_: live.another)

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["rollback", "credit", *words], env=WORKSPACE)
        return done.exit_code, done.output

    return run


def record(here: Setting) -> Record:
    found = Record.read(here.endpoint.status().tags, "credit")
    assert found
    return found


def test_traffic_and_record_change_in_one_update(live: Setting):
    """They can't disagree, and other people's tags stay."""
    live.azure.workspace.endpoints["credit"]["tags"] = {"team": "risk"}
    roll_out(live, slower=3.0)
    sent = [request.document for request in live.server.sent("PUT", ENDPOINT)]
    assert {each["tags"]["team"] for each in sent} == {"risk"}
    phases = [(each["tags"]["rollout-state"], each["properties"]["mirrorTraffic"]) for each in sent]
    assert phases == [("rolling", {}), ("rolling", {"green": 10}), ("rolled-back", {})]


@pytest.mark.parametrize(
    ("look", "live_then"),
    [
        (1, {"blue": 100}),
        (2, {"blue": 90, "green": 10}),
        (3, {"blue": 50, "green": 50}),
        (4, {"blue": 10, "green": 90}),
    ],
)
def test_a_rollback_from_another_folder_is_right_at_every_step(
    live: Setting, roll_back: Rollback, look: int, live_then: dict[str, int]
):
    """The rollout that is under way then ends by itself, and deletes nothing."""
    told: list[Any] = []

    def meanwhile(number: int) -> None:
        if number == look:
            assert live.endpoint.traffic().live == live_then
            told.append(roll_back())

    outcome, _ = roll_out(live, meanwhile=meanwhile)
    assert outcome is RolloutOutcome.OVERTAKEN
    assert told[0][0] == 0
    assert live.endpoint.traffic() == Traffic({"blue": 100})
    assert live.endpoint.deployments().keys() == {"blue", "green"}
    assert record(live).phase is RolloutPhase.ROLLED_BACK
    assert roll_back()[0] == 0


def test_where_the_old_one_was_deleted_redeploy_brings_back_what_it_was(
    live: Setting, roll_back: Rollback, tmp_path: Path
):
    """The registered model, code and environment, though its file names others by now."""
    assert roll_out(live)[0] is RolloutOutcome.PROMOTED
    assert record(live).phase is RolloutPhase.PROMOTED
    status, told = roll_back()
    assert status == ExitStatus.SERVER
    assert "blue is no longer there. It had azureml:diabetes:7, deployed by" in told
    newer = (
        DEPLOYMENT.replace("diabetes:7", "diabetes@latest")
        .replace("source:3", "source:9")
        .replace(":2", ":9")
    )
    (tmp_path / "blue.yml").write_text(newer)
    live.server.requests.clear()
    status, told = roll_back("--redeploy")
    assert status == 0, told
    sent = live.put(BLUE)["properties"]
    assert sent["model"] == f"{PREFIX}/models/diabetes/versions/7"
    assert sent["environmentId"] == f"{PREFIX}/environments/scoring/versions/2"
    assert sent["codeConfiguration"]["codeId"] == f"{PREFIX}/codes/source/versions/3"
    assert live.endpoint.traffic() == Traffic({"blue": 100})
    assert live.endpoint.deployments() == {"blue": State.READY, "green": State.READY}


def test_a_deployment_tells_what_it_was_made_of(here: Setting):
    """The source has the file's path in its repository and the commit; outside one, the file."""
    here.endpoint.deploy("blue")
    expected = Source(
        "azureml:diabetes:7",
        "azureml:source:3",
        "azureml:scoring:2",
        str(here.folder / "blue.yml"),
        "",
    )
    assert here.endpoint.source("blue") == expected
    for words in (["init", "-q"], ["add", "blue.yml"], ["commit", "-qm", "one"]):
        identity = ["-c", "user.name=us", "-c", "user.email=us@example.org"]
        subprocess.run(
            ["git", "-C", here.folder, *identity, *words], check=True, capture_output=True
        )
    commit = subprocess.check_output(
        ["git", "-C", here.folder, "rev-parse", "HEAD"], text=True
    ).strip()
    here.endpoint.deploy("blue")
    assert (here.endpoint.source("blue").file, here.endpoint.source("blue").commit) == (
        "blue.yml",
        commit,
    )
    (here.folder / "blue.yml").write_text(DEPLOYMENT + "# changed\n")
    here.endpoint.deploy("blue")
    assert here.endpoint.source("blue").commit == f"{commit}+changes"


def test_a_registrys_model_is_known_and_a_path_is_not(here: Setting):
    """What is no registered version can't be deployed again."""
    here.endpoint.deploy("blue")
    held = here.azure.workspace.deployments["credit"]["blue"]["properties"]
    held["model"] = "azureml://registries/ours/models/diabetes/versions/7"
    assert here.endpoint.source("blue").model == held["model"]
    held["model"] = "azureml://datastores/models/paths/diabetes"
    assert here.endpoint.source("blue").model == ""


def test_a_change_that_is_under_way_is_waited_for(
    live: Setting, roll_back: Rollback, monkeypatch: pytest.MonkeyPatch
):
    """A rollout's machine vanished during an update: tags and traffic are read once Azure has
    finished it."""
    monkeypatch.setattr(azure_endpoint, "POLL_S", 0)
    live.endpoint.deploy("green")
    direct(live.endpoint, Traffic({"blue": 100}))
    held = live.azure.workspace.endpoints["credit"]
    made = Record(
        "r", RolloutPhase.ROLLING, "blue", "green", "ci", datetime(2026, 1, 1, tzinfo=UTC)
    )
    sent = {
        "location": held["location"],
        "properties": {**held["properties"], "traffic": {"blue": 50, "green": 50}},
    }
    live.azure.workspace.operations.duration = 5
    request = Request(
        "PUT",
        PREFIX + ENDPOINT,
        {},
        {"authorization": "x"},
        json.dumps(sent | {"tags": made.on({})}).encode(),
    )
    assert live.azure(request).status == 200
    live.azure.workspace.operations.duration = 2
    assert live.azure.workspace.endpoints["credit"]["properties"]["provisioningState"] == "Updating"
    status, told = roll_back()
    assert status == 0
    assert told.startswith("All traffic goes back to blue, away from green.")
    assert live.endpoint.traffic() == Traffic({"blue": 100})


def test_a_rollout_refuses_an_endpoint_whose_tags_it_can_not_read(live: Setting):
    """Nothing is changed, and the sentence says what to do."""
    live.azure.workspace.endpoints["credit"]["tags"] = {"rollout-run": "x"}
    with pytest.raises(EndpointError, match="mlops rollback credit --to NAME"):
        roll_out(live)
    assert live.server.sent("PUT") == []


def test_a_rollout_that_can_not_write_its_tags_changes_nothing(live: Setting):
    """If there are fifty tags or a right is missing, it ends at once with Azure's reason."""
    tags = {f"tag-{number}": "x" for number in range(45)}
    live.azure.workspace.endpoints["credit"]["tags"] = tags
    assert roll_out(live)[0] is RolloutOutcome.INTERRUPTED
    assert (
        "A resource may have 50 tags"
        in (live.folder / "journal.jsonl").read_text().splitlines()[-1]
    )
    assert live.endpoint.status() == Status(Traffic({"blue": 100}), tags)
    assert live.endpoint.deployments().keys() == {"blue"}


def test_a_rollback_is_possible_though_there_is_no_room_for_its_tags(
    live: Setting, roll_back: Rollback
):
    """A person names where to; the other fifty tags stay."""
    live.endpoint.deploy("green")
    tags = {f"tag-{number}": "x" for number in range(50)}
    live.azure.workspace.endpoints["credit"]["tags"] = tags
    status, told = roll_back("--to", "green")
    assert status == 0, told
    assert live.endpoint.status() == Status(Traffic({"green": 100}), tags)
