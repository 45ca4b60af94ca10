"""A whole rollout over the clients that users have."""

from __future__ import annotations

import pytest

from arm.autoscale import setting
from arm.https import Reply, Request
from arm.rollout import roll_out
from arm.scoring import Model
from arm.setting import GREEN, Setting
from mlops.endpoint import EndpointError, State
from mlops.rollout.journal import RolloutOutcome
from mlops.rollout.questions import Questions


def test_a_rollout_asks_of_azure_one_share_after_the_other(live: Setting):
    """The old deployment is deleted at the end."""
    outcome, asked = roll_out(live)
    assert outcome is RolloutOutcome.PROMOTED
    assert asked == [
        {"blue": 100},
        {"blue": 100, "mirrored": 10},
        {"blue": 90, "green": 10},
        {"blue": 50, "green": 50},
        {"blue": 10, "green": 90},
        {"green": 100},
    ]
    assert live.endpoint.deployments() == {"green": State.READY}


def test_a_rollout_of_a_slow_deployment_ends_with_the_old_one(live: Setting):
    """Its log says so."""
    outcome, asked = roll_out(live, slower=3.0)
    assert outcome is RolloutOutcome.ROLLED_BACK
    assert asked == [{"blue": 100}, {"blue": 100, "mirrored": 10}, {"blue": 100}]
    assert "against" in (live.folder / "journal.jsonl").read_text().splitlines()[-1]


def test_a_sample_of_more_than_a_hundred_rows_is_compared(live: Setting):
    """A service refuses so many at once, which Azure hides behind a 424; of 101 that differ, none
    agrees."""

    def model(difference: int) -> Model:
        def answer(request: Request) -> Reply:
            rows = request.document["data"]
            return (
                Reply(413)
                if len(rows) > 100
                else Reply(200, {"predictions": [row[0] + difference for row in rows]})
            )

        return answer

    live.azure.models.update(blue=model(0), green=model(1))
    asked = Questions(
        [({"data": [[0]], "method": "predict"}, [1])], [[number] for number in range(101)]
    )
    assert roll_out(live, asked=asked) == (
        RolloutOutcome.ROLLED_BACK,
        [{"blue": 100}],
    )
    assert (
        "predictions agree on 0 of 101 rows"
        in (live.folder / "journal.jsonl").read_text().splitlines()[-1]
    )


def test_an_old_deployment_that_fails_refuses_the_rollout(live: Setting):
    """Nothing would be compared, so nothing is deployed."""
    live.azure.models["blue"] = lambda _: Reply(500)
    with pytest.raises(EndpointError, match=r"blue does not answer .* \(status 500\)"):
        roll_out(live)
    assert [request.method for request in live.server.requests if request.method == "PUT"] == []


def test_a_rollout_of_a_deployment_that_azure_can_not_start_ends_before_any_traffic(live: Setting):
    """The outcome has Azure's reason."""
    live.azure.workspace.failing["green"] = {
        "code": "UserScriptException",
        "message": "init() failed.",
    }
    outcome, asked = roll_out(live)
    assert outcome is RolloutOutcome.ROLLED_BACK
    assert asked == [{"blue": 100}]
    assert "green did not get ready" in (live.folder / "journal.jsonl").read_text()


def test_a_rollout_hands_the_autoscale_setting_on(live: Setting):
    """Green has it alone in the end, from as few instances as blue had it."""
    live.azure.autoscale.settings["by-hand"] = setting("by-hand", "blue")
    live.azure.workspace.deployments["credit"]["blue"]["sku"]["capacity"] = 8
    outcome, _ = roll_out(live)
    assert outcome is RolloutOutcome.PROMOTED
    assert live.put(GREEN)["sku"]["capacity"] == 8
    (left,) = live.azure.autoscale.settings.values()
    assert left["properties"] == setting("credit-green", "green")["properties"]
