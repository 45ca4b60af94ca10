"""A run's claim on an endpoint: it directs the traffic only while the endpoint's record names it.

Azure has no compare-and-swap here. Each change reads the endpoint, checks the record and writes
traffic and record in one update, which Azure refuses while another operation is in progress. A new
claim is read back after it was written.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from mlops.endpoint import Endpoint, EndpointError, Status, Traffic, same
from mlops.rollout.plan import Plan
from mlops.rollout.record import PREFIX, Record, RolloutPhase, UnreadableTags, whoever


class Overtaken(EndpointError):
    """Somebody else directs the endpoint now, so this run must not touch it. Trying again does not
    help."""


class EndpointClaim:
    def __init__(
        self, endpoint: Endpoint, run: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self.run = run

    def take(self, plan: Plan, check: Callable[[Status], None]) -> None:
        """Claim the endpoint for ``plan``. ``check`` raises EndpointError if it is not free. Raises
        Overtaken if another run has claimed it at the same time."""
        record = self.record(plan, RolloutPhase.ROLLING)
        record = replace(record, source=self._endpoint.source(plan.old))

        def change(status: Status) -> Status:
            check(status)
            return replace(status, tags=record.on(status.tags))

        self._endpoint.update(change)
        self.check()

    def direct(self, traffic: Traffic) -> None:
        """Set the traffic. Raises Overtaken, also if a third deployment has traffic."""

        def change(status: Status) -> Status:
            record = self._own(status, RolloutPhase.ROLLING)
            if not between(status.traffic, record.old, record.new):
                raise Overtaken(by_hand(status.traffic))
            return Status(traffic, record.on(status.tags))

        self._endpoint.update(change)

    def end(self, phase: RolloutPhase, plan: Plan, final: Traffic | None) -> None:
        """Record how the run ended, and set the traffic in the same update. ``final``: None to
        leave it. Raises Overtaken, also if somebody has changed the traffic since the last step."""

        def change(status: Status) -> Status:
            record = self._own(status, RolloutPhase.ROLLING, phase)
            left = (plan.traffic(plan.last), plan.final)
            if final and not any(same(status.traffic, one) for one in left):
                raise Overtaken(by_hand(status.traffic))
            tags = replace(record, phase=phase, at=self._now()).on(status.tags)
            return Status(final or status.traffic, tags)

        self._endpoint.update(change)

    def back(self, plan: Plan) -> Callable[[Status], Status]:
        """Return the change that gives all traffic to the old deployment.

        If the tags were lost, ``plan`` names it. If this run never had the endpoint, since its
        claim was refused, nothing is changed.
        """

        def change(status: Status) -> Status:
            record = self._readable(status)
            own = record is not None and record.run == self.run
            if not own and same(status.traffic, plan.back) and self.holds(status):
                return status
            if record and not own:
                raise self._overtaken(record)
            if not between(status.traffic, plan.old, plan.new):
                raise Overtaken(by_hand(status.traffic))
            record = replace(
                record or self.record(plan, RolloutPhase.ROLLED_BACK),
                phase=RolloutPhase.ROLLED_BACK,
                at=self._now(),
            )
            return Status(plan.back, record.on(status.tags))

        return change

    def check(self, phase: RolloutPhase = RolloutPhase.ROLLING) -> Traffic:
        """Return the current traffic. Raises Overtaken if the endpoint is not in this phase of this
        run."""
        status = self._endpoint.status()
        self._own(status, phase)
        return status.traffic

    def holds(self, status: Status) -> bool:
        """True if no other run directs the traffic."""
        record = self._readable(status)
        return record is None or record.run == self.run or record.phase is not RolloutPhase.ROLLING

    def _readable(self, status: Status) -> Record | None:
        """Return the record, or None if there is none or the tags are damaged."""
        try:
            return Record.read(status.tags, self._endpoint.name)
        except UnreadableTags:
            return None

    def _own(self, status: Status, *phases: RolloutPhase) -> Record:
        record = Record.read(status.tags, self._endpoint.name)
        if record is None:
            raise EndpointError(
                f"Somebody has removed the tags {PREFIX}* from {self._endpoint.name}; leave them "
                "alone until a rollout has ended."
            )
        if record.run != self.run or record.phase not in phases:
            raise self._overtaken(record)
        return record

    def _overtaken(self, record: Record) -> Overtaken:
        return Overtaken(
            f"{self._endpoint.name} is another run's now, {record.phase} ({record.old} to "
            f"{record.new}) by {record.by} since {record.since}; this run changes nothing more."
        )

    def record(self, plan: Plan, phase: RolloutPhase) -> Record:
        """Return this run's record in ``phase``."""
        return Record(self.run, phase, plan.old, plan.new, whoever(), self._now())

    def _now(self) -> datetime:
        return datetime.fromtimestamp(int(self._clock()), UTC)


def check_free(status: Status, endpoint: str, runs: set[str]) -> Record | None:
    """Return the endpoint's record. Raises EndpointError if a run other than ``runs`` is rolling
    out."""
    record = Record.read(status.tags, endpoint)
    if record and record.phase is RolloutPhase.ROLLING and record.run not in runs:
        raise EndpointError(
            f"Another rollout of {endpoint} is under way: {record.old} to {record.new}, by "
            f"{record.by}, since {record.since}; wait until it has ended, or end it: "
            f"mlops rollback {endpoint}."
        )
    return record


def between(traffic: Traffic, old: str, new: str) -> bool:
    """True if only ``old`` and ``new`` have traffic, as during a rollout between them."""
    shares = traffic.without_zeros()
    return bool(shares.live) and shares.live.keys() <= {old, new} and shares.mirror.keys() <= {new}


def by_hand(traffic: Traffic) -> str:
    """Say that somebody has changed the traffic."""
    live, mirror = dict(traffic.live), dict(traffic.mirror)
    return f"Somebody else has directed the traffic: live {live}, mirror {mirror}."
