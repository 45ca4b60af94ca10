"""Front Door's origins, over Azure's real client."""

import pytest

from arm.front_door import GROUP, ORIGINS, PROFILE
from arm.resource_manager import SUBSCRIPTION
from arm.setting import Setting, refusal
from mlops.rollout import azure_front_door, region_sequence
from mlops.rollout.front_door import Origin
from mlops.rollout.regions import OriginGroup


def test_all_origins_are_found(here: Setting):
    """Also those of later pages, and those that get no requests."""
    here.azure.front_door.properties["swedencentral"]["enabledState"] = "Disabled"
    assert here.front_door().origins() == {
        "westeurope": Origin(500),
        "swedencentral": Origin(500, enabled=False),
    }


@pytest.mark.parametrize("looks", [0, 3])
def test_a_weight_is_in_force_once_it_is_set(here: Setting, looks: int):
    """Nothing else about the origin is sent, so nothing else can change."""
    here.azure.front_door.looks = looks
    here.front_door().set_weight("westeurope", 100)
    assert here.front_door().origins() == {"westeurope": Origin(100), "swedencentral": Origin(500)}
    (sent,) = here.server.sent("PATCH", f"{ORIGINS}/westeurope")
    assert sent.document == {"properties": {"weight": 100}}


def test_a_change_that_fails_or_takes_too_long_is_told(here: Setting):
    """The message says where to look."""
    here.azure.front_door.end = "Failed"
    told = refusal(lambda: here.front_door().set_weight("westeurope", 100))
    assert told.startswith("Front Door afd-scoring-global has not set the weight of westeurope")
    here.azure.front_door.looks = 10**6
    told = refusal(lambda: here.front_door(patience_s=0.05).set_weight("swedencentral", 100))
    assert told.startswith("Front Door afd-scoring-global has not set the weight of swedencentral")


def test_what_is_missing_is_named(here: Setting):
    """A profile or an origin that is not there is Azure's answer in one sentence."""
    told = refusal(here.front_door(profile="afd-other").origins)
    assert told.startswith("Can't look up the origins of Front Door afd-other: The Resource was")
    told = refusal(lambda: here.front_door().set_weight("northeurope", 100))
    assert "Entity with specified id does not exist (NotFound)" in told


def test_it_is_the_front_door_that_the_file_names(here: Setting, monkeypatch: pytest.MonkeyPatch):
    """By its subscription, resource group, profile and origin group."""
    arm = here.front_door()._arm
    monkeypatch.setattr(azure_front_door, "sign_in", lambda: None)
    monkeypatch.setattr(azure_front_door, "ResourceManager", lambda _: arm)
    group = OriginGroup(
        subscription=SUBSCRIPTION,
        resource_group=GROUP,
        profile=PROFILE,
        origin_group="regions",
        rollout_weight=100,
    )
    assert region_sequence.connect(group).origins() == here.front_door().origins()
