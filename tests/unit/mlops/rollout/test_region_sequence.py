"""Rollouts in two regions behind Front Door, one after the other, by the same judge as in one."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from front_door_splitter import FrontDoorSplitter
from mlops.endpoint import EndpointError, State
from mlops.rollout import regions
from mlops.rollout.guard import NotBegun
from mlops.rollout.journal import RolloutOutcome
from mlops.rollout.region_sequence import RegionSequence
from mlops.rollout.regions import Region, Regions
from regions_file import REGIONS
from simulated_endpoint import NEW, OLD, Killed, Simulated, rollout

WEST, SWEDEN = "westeurope", "swedencentral"


class Two:
    """Two regions with an endpoint each."""

    def __init__(self, folder: Path) -> None:
        file = folder / "regions.toml"
        file.write_text(REGIONS)
        self.regions: Regions = regions.read(file)
        self.endpoints = {WEST: Simulated(), SWEDEN: Simulated()}
        self.front_door = FrontDoorSplitter({WEST: lambda: 200, SWEDEN: lambda: 200})
        self._folder = folder

    def sequence(self) -> RegionSequence:
        return RegionSequence(self.regions, self.front_door)

    def roll_out(self, region: Region, begin: Callable[[], None]) -> RolloutOutcome:
        begin()
        folder = self._folder / region.name
        folder.mkdir(exist_ok=True)
        return rollout(self.endpoints[region.name], folder)

    @property
    def weights(self) -> Mapping[str, int]:
        return {name: origin.weight for name, origin in self.front_door.origins().items()}


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return Two(tmp_path)


def test_the_second_region_follows_when_the_first_is_promoted(two: Two):
    """Each has few requests while it rolls out, and its own weight before the next begins."""
    sequence = two.sequence()
    assert sequence.run(two.roll_out) is RolloutOutcome.PROMOTED
    assert two.front_door.weights == [(WEST, 100), (WEST, 900), (SWEDEN, 100), (SWEDEN, 900)]
    assert [each.states for each in two.endpoints.values()] == [{NEW: State.READY}] * 2
    assert sequence.ways_back("diabetes", Path("out")).splitlines() == [
        "Promoted in: westeurope, swedencentral.",
        "To roll westeurope back: mlops rollback diabetes --subscription s --resource-group "
        "rg-prod --workspace-name mlw-prod --out out/westeurope",
        "To roll swedencentral back: mlops rollback diabetes --subscription s --resource-group "
        "rg-prod2 --workspace-name mlw-prod2 --out out/swedencentral",
    ]


def test_a_bad_deployment_never_reaches_the_second_region(two: Two):
    """All traffic of the first goes back to the old one, and Front Door has its weights again."""
    first = two.endpoints[WEST]
    first.bad_from, first.bad = 0, {"failing": 0.2}
    sequence = two.sequence()
    assert sequence.run(two.roll_out) is RolloutOutcome.ROLLED_BACK
    assert first.in_force.live == {OLD: 100}
    assert two.endpoints[SWEDEN].calls == 0
    assert two.front_door.weights == [(WEST, 100), (WEST, 900)]
    assert sequence.ways_back("diabetes", Path("out")).splitlines() == [
        "Promoted in: no region.",
        "Not promoted in: westeurope, swedencentral.",
    ]


def test_what_is_bad_in_the_second_region_only_stays_in_the_first(two: Two):
    """The first keeps the new deployment; the command that takes it back is told."""
    second = two.endpoints[SWEDEN]
    second.bad_from, second.bad = 0, {"failing": 0.2}
    sequence = two.sequence()
    assert sequence.run(two.roll_out) is RolloutOutcome.ROLLED_BACK
    assert two.weights == {WEST: 900, SWEDEN: 900}
    told = sequence.ways_back("diabetes", Path("out")).splitlines()
    assert told[:2] == ["Promoted in: westeurope.", "Not promoted in: swedencentral."]
    assert told[2].startswith("To roll westeurope back: mlops rollback diabetes ")
    assert len(told) == 3


def test_killed_and_run_again_it_goes_on_in_the_region_where_it_was(two: Two):
    """The weight that was left low is set at the end."""
    second = two.endpoints[SWEDEN]
    second.killed_at = 30
    with pytest.raises(Killed):
        two.sequence().run(two.roll_out)
    assert two.weights == {WEST: 900, SWEDEN: 100}
    deployed = second.versions[NEW]
    second.killed_at = float("inf")
    second.calls = 0

    def again(region: Region, begin: Callable[[], None]) -> RolloutOutcome:
        if region.name == WEST:  # as the command does where the journal says so
            return RolloutOutcome.PROMOTED
        return two.roll_out(region, begin)

    two.front_door.weights.clear()
    assert two.sequence().run(again) is RolloutOutcome.PROMOTED
    assert two.front_door.weights == [(SWEDEN, 900)]
    assert second.versions == {OLD: 1, NEW: deployed}  # not deployed again


def test_a_region_in_an_unclear_state_keeps_few_requests(
    two: Two, capsys: pytest.CaptureFixture[str]
):
    """A person must see to it first; the message says so."""

    def stuck(_: Region, begin: Callable[[], None]) -> RolloutOutcome:
        begin()
        return RolloutOutcome.STUCK

    assert two.sequence().run(stuck) is RolloutOutcome.STUCK
    assert two.weights == {WEST: 100, SWEDEN: 900}
    assert "Front Door leaves westeurope at a weight of 100" in capsys.readouterr().out


@pytest.mark.parametrize("before", [900, 100])
def test_a_rollout_that_can_not_begin_leaves_the_weight(two: Two, before: int):
    """Also a low one, since a killed rollout's traffic may be half-way."""
    two.front_door.set_weight(WEST, before)

    def refused(_: Region, begin: Callable[[], None]) -> RolloutOutcome:
        begin()
        raise NotBegun("Another rollout is under way.")

    with pytest.raises(NotBegun):
        two.sequence().run(refused)
    assert two.weights == {WEST: before, SWEDEN: 900}


def test_front_door_must_have_the_regions_of_the_file(two: Two):
    """Otherwise the end would set a weight that nobody chose, or nothing could be judged."""
    two.front_door.set_weight(SWEDEN, 300)
    with pytest.raises(EndpointError, match="gives swedencentral a weight of 300, the file 900"):
        two.sequence()
    two.front_door.disable(WEST)
    with pytest.raises(EndpointError, match="sends no requests to westeurope"):
        two.sequence()
    two.front_door = FrontDoorSplitter({WEST: lambda: 200})
    with pytest.raises(EndpointError, match="no origin swedencentral, only westeurope;"):
        two.sequence()
