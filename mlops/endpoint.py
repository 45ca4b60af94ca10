"""An online endpoint as rollouts see it: one in Azure (rollout/azure_endpoint.py), or a
rehearsal's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from mlops.traffic_blocks import TrafficBlock


class EndpointError(Exception):
    """The endpoint refused a call or can't be reached. The message is one sentence that says what
    to do."""


class NotSignedIn(EndpointError):
    """Azure takes no call, because nobody is signed in."""


class NotReached(EndpointError):
    """A request got no answer, though the endpoint may be well."""


class State(StrEnum):
    """The state of a deployment, by Azure's ``provisioningState``."""

    CREATING = "creating"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class Traffic:
    """Percent by deployment. ``live`` adds up to 0 or 100. ``mirror`` gets copies, whose answers
    nobody sees."""

    live: Mapping[str, int]
    mirror: Mapping[str, int] = field(default_factory=dict)

    def without_zeros(self) -> Traffic:
        """Leave out deployments without a share, which Azure lists too."""
        return Traffic(
            *({name: n for name, n in part.items() if n} for part in (self.live, self.mirror))
        )


def same(one: Traffic, other: Traffic) -> bool:
    """True if both are the same, where shares of 0 count as none."""
    return one.without_zeros() == other.without_zeros()


@dataclass(frozen=True)
class Status:
    """What the endpoint itself stores, read and written as one."""

    traffic: Traffic
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Source:
    """What a deployment is made of, as far as known: registered versions
    (``azureml:name:version``), the file it was deployed from, and that file's commit."""

    model: str = ""
    code: str = ""
    environment: str = ""
    file: str = ""
    commit: str = ""


@dataclass(frozen=True)
class EndpointAnswer:
    """The answer to a request of ours. ``status`` is the model's own, even if the endpoint hid it
    behind a 424."""

    status: int
    body: bytes
    latency_ms: float


class Endpoint(Protocol):
    """Every call may raise EndpointError. Every change may be repeated."""

    @property
    def name(self) -> str: ...

    def deployments(self) -> Mapping[str, State]: ...

    def traffic(self) -> Traffic: ...

    def status(self) -> Status: ...

    def update(self, change: Callable[[Status], Status]) -> None:
        """Write what ``change`` makes of the current status. It is in force when this returns.
        ``change`` is called again in each attempt; if it raises, the update ends."""

    def source(self, deployment: str) -> Source: ...

    def deploy(self, deployment: str, source: Source | None = None) -> None:
        """Create or update a deployment from its file, without traffic, and wait until it is ready
        or has failed. ``source``: what to use in place of what the file names."""

    def delete(self, deployment: str) -> None:
        """Delete a deployment and its autoscale setting. Do nothing if there is none."""

    def copy_autoscale(self, old: str, new: str, *, floor: bool = False) -> None:
        """Scale ``new`` as ``old`` is scaled. Do nothing if ``old`` has no autoscale setting.

        ``floor``: with at least as many instances as ``old`` has now.
        """

    def remove_autoscale(self, deployment: str) -> None:
        """Remove a deployment's autoscale setting. Do nothing if there is none."""

    def logs(self, deployment: str) -> str:
        """Return the last lines of a deployment's log, which say why it failed."""

    def score(self, body: bytes, deployment: str | None = None) -> EndpointAnswer:
        """Score ``body``, by ``deployment`` or else by whichever the traffic chooses."""

    def blocks(self, since: float) -> Sequence[TrafficBlock]:
        """Return the clients' requests from ``since``, in seconds since 1970, that are logged by
        now; ours are left out."""


def direct(endpoint: Endpoint, traffic: Traffic) -> None:
    """Set the traffic, no matter which rollout holds the endpoint. Raises EndpointError."""
    endpoint.update(lambda status: replace(status, traffic=traffic))
