"""Rolls out in one region after the other, each with less of Front Door's requests meanwhile."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import click

from mlops.endpoint import EndpointError
from mlops.rollout.events import RolloutOutcome
from mlops.rollout.front_door import FrontDoor
from mlops.rollout.guard import NotBegun
from mlops.rollout.regions import OriginGroup, Region, Regions

UNCLEAR = (RolloutOutcome.STUCK, RolloutOutcome.OVERTAKEN)
"""After these it is not known which deployment answers in the region."""


def connect(group: OriginGroup) -> FrontDoor:
    from mlops.rollout import azure_front_door

    return azure_front_door.connect(
        subscription=group.subscription,
        resource_group=group.resource_group,
        profile=group.profile,
        origin_group=group.origin_group,
    )


class RegionSequence:
    """The rollouts of ``regions``. ``front_door``: what spreads the requests over them. Raises
    EndpointError if that has other weights than the file."""

    def __init__(self, regions: Regions, front_door: FrontDoor) -> None:
        self._regions = regions
        self._front_door = front_door
        self._low = regions.front_door.rollout_weight
        self._promoted: list[Region] = []
        self._check()

    def run(
        self, roll_out: Callable[[Region, Callable[[], None]], RolloutOutcome]
    ) -> RolloutOutcome:
        """Roll out in each region until one is not promoted; return how the last one ended.

        ``roll_out`` calls its second argument before it changes anything. Raises EndpointError.
        """
        for region in self._regions.region:
            click.echo(f"Region {region.name}:")
            outcome = self._roll_out(region, roll_out)
            if outcome is not RolloutOutcome.PROMOTED:
                break
            self._promoted.append(region)
        return outcome

    def ways_back(self, endpoint: str, out: Path) -> str:
        """Return which regions have the new deployment, and the commands that take it back."""
        rest = [each.name for each in self._regions.region if each not in self._promoted]
        return "\n".join(
            [
                f"Promoted in: {', '.join(each.name for each in self._promoted) or 'no region'}.",
                *([f"Not promoted in: {', '.join(rest)}."] if rest else []),
                *(
                    f"To roll {each.name} back: {_rollback(endpoint, each, out)}"
                    for each in self._promoted
                ),
            ]
        )

    def _check(self) -> None:
        """Raise EndpointError if Front Door has other regions or weights than the file, whose
        weights are set at the end."""
        origins = self._front_door.origins()
        for region in self._regions.region:
            origin = origins.get(region.name)
            if origin is None:
                raise EndpointError(
                    f"Front Door has no origin {region.name}, only {', '.join(origins) or 'none'}; "
                    "name the regions as Front Door does."
                )
            if not origin.enabled:
                raise EndpointError(
                    f"Front Door sends no requests to {region.name}, so nothing would judge the "
                    "rollout; enable it, or leave it out of the file."
                )
            # A rollout that was killed leaves the low one.
            if origin.weight not in (region.weight, self._low):
                raise EndpointError(
                    f"Front Door gives {region.name} a weight of {origin.weight}, the file "
                    f"{region.weight}; make both the same."
                )

    def _roll_out(
        self,
        region: Region,
        roll_out: Callable[[Region, Callable[[], None]], RolloutOutcome],
    ) -> RolloutOutcome:
        before = self._front_door.origins()[region.name].weight
        try:
            outcome = roll_out(region, lambda: self._set_weight(region, self._low))
        except NotBegun:
            # One that a killed rollout has left low stays so: its traffic is as that left it.
            self._set_weight(region, before)
            raise
        if outcome in UNCLEAR:
            click.echo(
                f"Front Door leaves {region.name} at a weight of {self._low}, as it is not known "
                f"which deployment answers there; run this again once that is clear."
            )
        else:
            self._set_weight(region, region.weight)
        return outcome

    def _set_weight(self, region: Region, weight: int) -> None:
        if self._front_door.origins()[region.name].weight != weight:
            self._front_door.set_weight(region.name, weight)
            click.echo(f"Front Door: {region.name} has a weight of {weight}")


def _rollback(endpoint: str, region: Region, out: Path) -> str:
    """Return the command that rolls a region back."""
    options = {
        "--subscription": region.subscription,
        "--resource-group": region.resource_group,
        "--workspace-name": region.workspace_name,
        "--out": str(out / region.name),
    }
    return shlex.join(["mlops", "rollback", endpoint, *chain.from_iterable(options.items())])
