"""Traffic is what was asked for last, live and mirrored, and nothing else is changed by it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arm.resource_manager import GROUP, SUBSCRIPTION
from arm.setting import ENDPOINT, Setting, both, refusal
from examples import at_most
from mlops.endpoint import Traffic, direct


def test_live_and_mirrored_traffic_change_in_one_update(here: Setting):
    """Both are in force when direct returns."""
    both(here)
    wanted = Traffic({"blue": 100}, {"green": 10})
    direct(here.endpoint, wanted)
    sent = here.put(ENDPOINT)["properties"]
    assert (sent["traffic"], sent["mirrorTraffic"]) == ({"blue": 100}, {"green": 10})
    assert here.endpoint.traffic() == wanted
    direct(here.endpoint, Traffic({"blue": 90, "green": 10}))
    sent = here.put(ENDPOINT)["properties"]
    assert (sent["traffic"], sent["mirrorTraffic"]) == ({"blue": 90, "green": 10}, {})


def test_a_change_of_traffic_changes_nothing_else(here: Setting):
    """Tags, identity, description and network access go back as they were."""
    here.endpoint.deploy("blue")
    held = here.azure.workspace.endpoints["credit"]
    held["tags"] = {"team": "risk"}
    group = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/{GROUP}"
    identity = f"{group}/providers/Microsoft.ManagedIdentity/u"
    held["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}
    held["properties"] |= {"description": "Credit risk", "publicNetworkAccess": "Disabled"}
    direct(here.endpoint, Traffic({"blue": 100}))
    sent = here.put(ENDPOINT)
    assert sent["tags"] == {"team": "risk"}
    assert sent["identity"]["type"] == "UserAssigned"
    assert list(sent["identity"]["userAssignedIdentities"]) == [identity]
    assert sent["properties"]["authMode"] == "Key"
    assert sent["properties"]["description"] == "Credit risk"
    assert sent["properties"]["publicNetworkAccess"] == "Disabled"


def test_setting_the_same_traffic_again_sends_nothing(here: Setting):
    """Shares of 0 count as none."""
    both(here)
    direct(here.endpoint, Traffic({"blue": 100}))
    before = len(here.server.sent("PUT"))
    direct(here.endpoint, Traffic({"blue": 100, "green": 0}))
    assert len(here.server.sent("PUT")) == before


@settings(max_examples=at_most(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 50)), min_size=1, max_size=4))
def test_any_order_of_steps_ends_where_the_last_one_says(
    here: Setting, steps: list[tuple[int, int]]
):
    """Forward, back, mirrored or not; what is in force is what was asked for last."""
    for name in {"blue", "green"} - set(here.endpoint.deployments()):
        here.endpoint.deploy(name)
    for share, mirrored in steps:
        wanted = Traffic(
            {"blue": 100 - share, "green": share}, {} if share else {"green": mirrored}
        )
        direct(here.endpoint, wanted)
        now = here.endpoint.traffic()
        assert {name: percent for name, percent in wanted.live.items() if percent} == now.live
        assert {name: percent for name, percent in wanted.mirror.items() if percent} == now.mirror


@pytest.mark.parametrize(
    ("traffic", "said"),
    [
        (Traffic({"blue": 90}), "sum to 0 or 100"),
        (Traffic({"red": 100}), "do not exist: red"),
        (Traffic({"blue": 100}, {"green": 60}), "at most 50 percent"),
        (Traffic({"blue": 50, "green": 50}, {"green": 10}), "not both"),
    ],
)
def test_traffic_that_azure_refuses_is_told_in_its_words(
    here: Setting, traffic: Traffic, said: str
):
    """The traffic stays as it was."""
    both(here)
    direct(here.endpoint, Traffic({"blue": 100}))
    message = refusal(lambda: direct(here.endpoint, traffic))
    assert message.startswith("Can't set the traffic of credit: ")
    assert said in message
    assert here.endpoint.traffic() == Traffic({"blue": 100})
