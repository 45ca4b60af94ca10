"""The regions of a rollout, read from a TOML file in the order that they are taken."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from azureml_scoring.errors import StartupError
from mlops.rollout import targets

Weight = Annotated[int, Field(ge=1, le=1000)]
"""Front Door's. A region with weight 100 gets a tenth of the traffic beside one with 900."""

Name = Annotated[str, Field(min_length=1)]
OriginName = Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9-]{0,89}$")]
"""Also the name of a folder, that of the region's journal."""


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class OriginGroup(Table):
    """The origins of Front Door that are the regions."""

    subscription: Name
    resource_group: Name
    profile: Name
    origin_group: Name
    rollout_weight: Weight
    """That of a region while it rolls out."""


class Region(Table):
    """A region. ``name``: of its origin. ``weight``: its own, while it does not roll out. The rest
    are the options of `mlops rollout` by these names."""

    name: OriginName
    weight: Weight
    subscription: Name
    resource_group: Name
    workspace_name: Name
    log_workspace: Name

    @property
    def workspace(self) -> targets.Workspace:
        return targets.Workspace(
            self.subscription, self.resource_group, self.workspace_name, self.log_workspace
        )


class Regions(Table):
    front_door: OriginGroup
    region: Annotated[list[Region], Field(min_length=1)]


def read(file: Path) -> Regions:
    """Read the file. Raises StartupError with the place of the first mistake."""
    try:
        regions = Regions.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise StartupError(
            f"{file}: {place}: {first['msg']}; correct it as docs/regions.md shows."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise StartupError(f"{file} can't be read as TOML ({error}); correct it.") from None
    names = [region.name.lower() for region in regions.region]
    if len(set(names)) < len(names):
        raise StartupError(f"{file} names a region twice; leave one out.")
    workspaces = {
        (each.subscription, each.resource_group, each.workspace_name) for each in regions.region
    }
    if len(workspaces) < len(names):
        raise StartupError(f"{file} has a workspace twice; name the one of each region.")
    for region in regions.region:
        if region.weight < regions.front_door.rollout_weight:
            raise StartupError(
                f"{file}: {region.name} has a weight of {region.weight}, less than rollout_weight; "
                "lower rollout_weight, so that fewer requests meet the new deployment."
            )
    return regions
