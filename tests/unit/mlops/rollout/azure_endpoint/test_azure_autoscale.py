"""Autoscale settings, which are Azure Monitor's: a deployment gets that of another, and loses
it."""

from __future__ import annotations

from typing import Any

import pytest

from arm.autoscale import setting
from arm.https import Reply
from arm.resource_manager import AT_ONCE, PREFIX
from arm.setting import BLUE, GREEN, Setting, refusal
from mlops.endpoint import Traffic, direct


@pytest.fixture
def scaled(here: Setting) -> Setting:
    """Blue has all traffic, scales from 3 to 10 instances and has 8 now. Others scale in the same
    group."""
    here.endpoint.deploy("blue")
    direct(here.endpoint, Traffic({"blue": 100}))
    here.azure.workspace.deployments["credit"]["blue"]["sku"]["capacity"] = 8
    for name, deployment in (("other-1", "red"), ("other-2", "blue2"), ("credit-blue", "blue")):
        here.azure.autoscale.settings[name] = setting(name, deployment)
    return here


def given(here: Setting, deployment: str) -> Any:
    return here.azure.autoscale.of(f"{PREFIX}/onlineEndpoints/credit/deployments/{deployment}")


def test_a_deployment_gets_the_setting_of_another(scaled: Setting):
    """The same rules, profiles and tags, on its own metrics."""
    scaled.endpoint.copy_autoscale("blue", "green")
    expected = setting("credit-green", "green")
    assert {key: given(scaled, "green")[key] for key in expected} == expected
    assert given(scaled, "blue") == setting("credit-blue", "blue")


def test_it_begins_with_what_the_other_has_now(scaled: Setting):
    """Its minimum and default are raised, in each profile as far as the maximum allows."""
    scaled.endpoint.copy_autoscale("blue", "green", floor=True)
    load, night = (
        profile["capacity"] for profile in given(scaled, "green")["properties"]["profiles"]
    )
    assert load == {"minimum": "8", "maximum": "10", "default": "8"}
    assert night == {"minimum": "4", "maximum": "4", "default": "4"}


def test_a_setting_of_its_own_is_replaced_under_its_name(scaled: Setting):
    """Azure allows one to a deployment, and its ids are written in any case."""
    own = setting("by-hand", "green", minimum=5)
    scaled.azure.autoscale.settings["by-hand"] = own
    scaled.endpoint.copy_autoscale("BLUE", "green")
    assert given(scaled, "green")["properties"] == setting("by-hand", "green")["properties"]


def test_a_new_deployment_starts_as_large_as_the_scaled_one_is(scaled: Setting):
    """It has instances enough for all the traffic."""
    scaled.endpoint.deploy("green")
    assert scaled.put(GREEN)["sku"]["capacity"] == 8


def test_a_file_that_asks_for_more_is_heeded(scaled: Setting):
    """The larger number of instances counts."""
    file = scaled.folder / "green.yml"
    file.write_text(file.read_text().replace("instance_count: 3", "instance_count: 9"))
    scaled.endpoint.deploy("green")
    assert scaled.put(GREEN)["sku"]["capacity"] == 9


def test_without_autoscale_nothing_happens(here: Setting):
    """No setting is made, and the file says how many instances there are."""
    here.endpoint.deploy("blue")
    direct(here.endpoint, Traffic({"blue": 100}))
    here.azure.workspace.deployments["credit"]["blue"]["sku"]["capacity"] = 8
    here.endpoint.deploy("green")
    here.endpoint.copy_autoscale("blue", "green", floor=True)
    here.endpoint.remove_autoscale("green")
    assert here.put(GREEN)["sku"]["capacity"] == 3
    assert here.azure.autoscale.settings == {}


def test_a_setting_goes_with_its_deployment(scaled: Setting):
    """Deleting one removes its setting and no other, even if the deployment is gone already."""
    direct(scaled.endpoint, Traffic({}))
    scaled.endpoint.delete("blue")
    scaled.endpoint.delete("red")
    assert scaled.azure.autoscale.settings.keys() == {"other-2"}
    scaled.endpoint.remove_autoscale("blue")


@pytest.mark.parametrize(
    "reply", [Reply(429, None, AT_ONCE), Reply(503, None, AT_ONCE), Reply(409, None, AT_ONCE)]
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_what_passes_by_itself_is_waited_out(scaled: Setting, method: str, reply: Reply):
    """Calls of Azure Monitor are retried like all others."""
    scaled.server.fail(6, reply, method, "autoscaleSettings")
    scaled.endpoint.copy_autoscale("blue", "green")
    assert given(scaled, "green")


@pytest.mark.parametrize(
    ("method", "path", "what"),
    [
        ("GET", "/autoscaleSettings", "look up the autoscale setting of blue"),
        ("PUT", "/credit-green", "give green its autoscale setting"),
    ],
)
def test_who_may_not_is_told_which_role(scaled: Setting, method: str, path: str, what: str):
    """The role is another one than for all other calls."""
    denied = {
        "error": {
            "code": "AuthorizationFailed",
            "message": "The client does not have authorization.",
        }
    }
    scaled.server.fail(1, Reply(403, denied), method, path)
    message = refusal(lambda: scaled.endpoint.copy_autoscale("blue", "green"))
    assert message.startswith(f"Can't {what}: The client does not have authorization")
    assert message.endswith("ask for the role Contributor on the resource group.")


def test_nobody_who_may_not_look_deploys(scaled: Setting):
    """The missing right is noticed before anything is changed."""
    scaled.server.fail(1, Reply(403, None), "GET", "/autoscaleSettings")
    refusal(lambda: scaled.endpoint.deploy("green"))
    assert scaled.server.sent("PUT", GREEN) == []
    assert scaled.server.sent("PUT", BLUE)
