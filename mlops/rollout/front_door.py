"""What a rollout needs of Front Door, which spreads the requests over the regions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Origin:
    """A region, as Front Door has it. It gets none of the requests if not ``enabled``."""

    weight: int
    enabled: bool = True


class FrontDoor(Protocol):
    """The origins of a group. Every call may raise EndpointError."""

    def origins(self) -> Mapping[str, Origin]: ...

    def set_weight(self, origin: str, weight: int) -> None:
        """Set an origin's weight and return once it is set. Front Door follows minutes later."""
