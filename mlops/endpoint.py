"""What a rollout needs of an online endpoint: one in Azure (azure_endpoint.py), or a rehearsed
one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

DEPLOYMENT_HEADER = "azureml-model-deployment"
"""Names a deployment: in a request the one to ask, in an answer the one that gave it."""


class EndpointError(Exception):
    """The endpoint refused or can't be reached. The message is one sentence that says what to
    do."""


class State(StrEnum):
    """Of a deployment, by Azure's ``provisioningState``."""

    CREATING = "creating"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class Traffic:
    """Percent by deployment: ``live`` adds up to 0 or 100; ``mirror`` gets copies, whose answers
    nobody sees."""

    live: Mapping[str, int]
    mirror: Mapping[str, int] = field(default_factory=dict)

    def without_zeros(self) -> Traffic:
        """Azure lists also deployments that have no share."""
        return Traffic(
            *({name: n for name, n in part.items() if n} for part in (self.live, self.mirror))
        )


def same(one: Traffic, other: Traffic) -> bool:
    """Shares of 0 count as none."""
    return one.without_zeros() == other.without_zeros()


@dataclass(frozen=True)
class Status:
    """What an endpoint holds itself, read and written as one."""

    traffic: Traffic
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Source:
    """What a deployment is made of, as far as it is known: registered versions
    (``azureml:name:version``), and the file that it was deployed by, with the commit of its
    repository."""

    model: str = ""
    code: str = ""
    environment: str = ""
    file: str = ""
    commit: str = ""


@dataclass(frozen=True)
class EndpointAnswer:
    """To one request of ours. ``status`` is the model's own, also where the endpoint hid it behind
    a 424."""

    status: int
    body: bytes
    latency_ms: float


@dataclass(frozen=True)
class Observation:
    """One request of a client, or its mirrored copy, as the endpoint logged it. ``at``: seconds
    since 1970.

    ``status`` as in Answer; 0 where the deployment gave no answer at all.
    """

    at: float
    deployment: str
    status: int
    latency_ms: float


class Endpoint(Protocol):
    """Each call may raise EndpointError; each that changes something may be repeated."""

    @property
    def name(self) -> str: ...

    def deployments(self) -> Mapping[str, State]: ...

    def traffic(self) -> Traffic: ...

    def status(self) -> Status: ...

    def update(self, change: Callable[[Status], Status]) -> None:
        """Write what ``change`` makes of the endpoint as it is then; in force when this returns.
        ``change`` is called anew with each attempt, and what it raises ends the update."""

    def source(self, deployment: str) -> Source: ...

    def deploy(self, deployment: str, source: Source | None = None) -> None:
        """Create or update it from its file, with no traffic; returns when it is ready or has
        failed. ``source``: what to take in place of what the file names."""

    def delete(self, deployment: str) -> None:
        """And its autoscale setting. Nothing happens where there is none."""

    def copy_autoscale(self, old: str, new: str, *, floor: bool = False) -> None:
        """Scale ``new`` as ``old`` is scaled. Nothing happens where ``old`` has no autoscale
        setting.

        ``floor``: with as many instances as ``old`` has now, or more.
        """

    def remove_autoscale(self, deployment: str) -> None:
        """Nothing happens where it has no autoscale setting."""

    def logs(self, deployment: str) -> str:
        """Its last lines, to tell why it failed."""

    def score(self, body: bytes, deployment: str | None = None) -> EndpointAnswer:
        """Ask it; ``deployment`` in place of whichever the traffic chooses."""

    def observations(self, since: float) -> Sequence[Observation]:
        """Of the requests from ``since``, in seconds since 1970, as far as they are known by
        now."""


def direct(endpoint: Endpoint, traffic: Traffic) -> None:
    """Set the traffic, whosever rollout the endpoint is in. Raises EndpointError."""
    endpoint.update(lambda status: replace(status, traffic=traffic))
