"""A whole rollout over the clients that users have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from arm.autoscale import setting
from arm.https import Reply, Request
from arm.scoring import Model
from arm.setting import ENDPOINT, GREEN, Setting
from arm.workspace import WORKSPACE
from mlops.rollout.controller import Rollout
from mlops.rollout.endpoint import EndpointError, State, Traffic
from mlops.rollout.journal import Journal, Outcome
from mlops.rollout.judge import Rules
from mlops.rollout.plan import Plan, steps
from mlops.rollout.questions import Questions


@pytest.fixture
def live(here: Setting) -> Setting:
    """Blue has all traffic and answers 1."""
    here.endpoint.deploy("blue")
    here.endpoint.set_traffic(Traffic({"blue": 100}))
    here.azure.models.update({name: lambda _: Reply(200, {"predictions": [1]}) for name in ("blue", "green")})
    here.server.requests.clear()
    return here


ASKED = Questions([({"data": [[1]], "method": "predict"}, [1])], [[1]])


def roll_out(here: Setting, slower: float = 1.0, asked: Questions = ASKED) -> tuple[Outcome, list[dict[str, int]]]:
    """-> how it ended, and the traffic that Azure was told, mirrored shares under the name "mirrored"."""

    def clients(seconds: float) -> None:
        """Two hundred by each share, instead of waiting."""
        traffic = here.endpoint.traffic()
        for name in {**traffic.live, **traffic.mirror}:
            duration = 20.0 * (slower if name == "green" else 1.0)
            here.azure.logs.rows += [
                {
                    "TimeGenerated": datetime.now(UTC).isoformat(),
                    "AzureMLWorkspaceName": WORKSPACE,
                    "EndpointName": "credit",
                    "DeploymentName": name,
                    "ResponseCode": "200",
                    "ModelStatusCode": "200",
                    "TotalDurationMs": duration + number % 10,
                }
                for number in range(200)
            ]

    outcome = Rollout(
        here.endpoint,
        Plan("blue", "green", steps(), hold_s=0, patience_s=5, keep_s=0),
        Rules(requests=100),
        asked,
        Journal(here.folder / "journal.jsonl"),
        key="v2",
        sleep=clients,
    ).run()
    told = [request.document["properties"] for request in here.server.sent("PUT", ENDPOINT)]
    return outcome, [{**(each["traffic"] or {}), **_mirrored(each)} for each in told]


def _mirrored(properties: dict[str, Any]) -> dict[str, int]:
    return {"mirrored": sum(shares.values())} if (shares := properties.get("mirrorTraffic")) else {}


def test_a_rollout_asks_of_azure_one_share_after_the_other(live: Setting):
    """And deletes the old deployment at the end."""
    outcome, asked = roll_out(live)
    assert outcome is Outcome.PROMOTED
    assert asked == [
        {"blue": 100, "mirrored": 10},
        {"blue": 90, "green": 10},
        {"blue": 50, "green": 50},
        {"green": 100},
    ]
    assert live.endpoint.deployments() == {"green": State.READY}


def test_a_rollout_of_a_slow_deployment_ends_with_the_old_one(live: Setting):
    """Its log says so."""
    outcome, asked = roll_out(live, slower=3.0)
    assert outcome is Outcome.ROLLED_BACK
    assert asked == [{"blue": 100, "mirrored": 10}, {"blue": 100}]
    assert "against" in (live.folder / "journal.jsonl").read_text().splitlines()[-1]


def test_a_sample_of_more_than_a_hundred_rows_is_compared(live: Setting):
    """A service refuses so many at once, which Azure hides behind a 424; of 101 that differ, none agrees."""

    def model(difference: int) -> Model:
        def answer(request: Request) -> Reply:
            rows = request.document["data"]
            return Reply(413) if len(rows) > 100 else Reply(200, {"predictions": [row[0] + difference for row in rows]})

        return answer

    live.azure.models.update(blue=model(0), green=model(1))
    asked = Questions([({"data": [[0]], "method": "predict"}, [1])], [[number] for number in range(101)])
    assert roll_out(live, asked=asked) == (Outcome.ROLLED_BACK, [{"blue": 100, "mirrored": 10}, {"blue": 100}])
    assert "predictions agree on 0 of 101 rows" in (live.folder / "journal.jsonl").read_text().splitlines()[-1]


def test_an_old_deployment_that_fails_refuses_the_rollout(live: Setting):
    """Nothing would be compared, so nothing is deployed."""
    live.azure.models["blue"] = lambda _: Reply(500)
    with pytest.raises(EndpointError, match=r"blue does not answer .* \(status 500\)"):
        roll_out(live)
    assert [request.method for request in live.server.requests if request.method == "PUT"] == []


def test_a_rollout_of_a_deployment_that_azure_can_not_start_ends_before_any_traffic(live: Setting):
    """With Azure's reason."""
    live.azure.workspace.failing["green"] = {"code": "UserScriptException", "message": "init() failed."}
    outcome, asked = roll_out(live)
    assert outcome is Outcome.ROLLED_BACK
    assert asked == []
    assert "green did not get ready" in (live.folder / "journal.jsonl").read_text()


def test_a_rollout_hands_the_autoscale_setting_on(live: Setting):
    """Green has it alone in the end, from as few instances as blue had it."""
    live.azure.autoscale.settings["by-hand"] = setting("by-hand", "blue")
    live.azure.workspace.deployments["credit"]["blue"]["sku"]["capacity"] = 8
    outcome, _ = roll_out(live)
    assert outcome is Outcome.PROMOTED
    assert live.put(GREEN)["sku"]["capacity"] == 8
    (left,) = live.azure.autoscale.settings.values()
    assert left["properties"] == setting("credit-green", "green")["properties"]
