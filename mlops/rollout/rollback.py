"""Rolls back: finds in the endpoint's record where to go back to, and goes there, from any
machine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mlops.endpoint import Endpoint, EndpointError, Source, State, Status, Traffic, same
from mlops.rollout.checkout import located
from mlops.rollout.claim import EndpointClaim, Overtaken, between, by_hand
from mlops.rollout.journal import Journal, RolloutOutcome
from mlops.rollout.plan import Plan
from mlops.rollout.record import Record, RolloutPhase, UnreadableTags, new_run, whoever
from mlops.rollout.way_back import put_back


class Gone(EndpointError):
    """The deployment to go back to no longer exists. The message says how to bring it back."""


class Rollback:
    """A rollback. ``to``: the deployment that a person names, whatever the record says. Raises
    EndpointError."""

    def __init__(self, endpoint: Endpoint, to: str | None = None) -> None:
        self._endpoint = endpoint
        self._named = to is not None
        self._status = endpoint.status()
        self._record = self._read(self._status)
        self._claim = EndpointClaim(endpoint, new_run())
        self.to = to or (self._record.old if self._record else "")

    def nothing(self, *, own: bool) -> str | None:
        """Return why there is nothing to do, or None. ``own``: only roll back what this pipeline
        run, or this user here, has rolled out."""
        record, name = self._record, self._endpoint.name
        if record and own and record.by != whoever():
            return (
                f"The last rollout of {name} is that of {record.by}; there is none of {whoever()} "
                "to roll back."
            )
        if not record and (own or not self._named):
            return f"No rollout is on record at {name}; there is nothing to roll back."
        there = same(self._status.traffic, Traffic({self.to: 100}))
        if there and record and record.phase is RolloutPhase.ROLLED_BACK and not self._named:
            return (
                f"{name} went back to {record.old} already, by {record.by}, {record.since}; "
                "nothing is to be done."
            )
        if there and not (record and record.phase is RolloutPhase.ROLLING):
            return f"{self.to} has all traffic already; there is nothing to roll back."
        return None

    def check(self) -> None:
        """Raise EndpointError if the traffic must not go there, and Gone if the deployment must be
        brought back first."""
        state = self._endpoint.deployments().get(self.to)
        if not self._named:
            self._check_traffic(self._status)
        if self._record and self.to == self._record.old:
            self._check_old(self._record, state)
        elif state is None:
            raise EndpointError(
                f"There is no deployment {self.to} to go back to; name another one by --to."
            )

    @property
    def others(self) -> str:
        """The deployments that lose their traffic."""
        traffic = self._status.traffic
        return ", ".join(name for name in {**traffic.live, **traffic.mirror} if name != self.to)

    @property
    def source(self) -> Source:
        """What the deployment to go back to was made of, as far as it is on record."""
        return self._record.source if self._record and self.to == self._record.old else Source()

    def file(self) -> Path:
        """Return the file to deploy it from again. Raises EndpointError if it is not on record or
        not in this folder."""
        if not self.source.file:
            raise EndpointError(
                f"The file that {self.to} was deployed by is not on record; name it: --redeploy "
                f"--file FILE."
            )
        file = located(self.source.file)
        if file is None:
            commit = f"check out commit {self.source.commit}, or " if self.source.commit else ""
            raise EndpointError(
                f"{self.source.file}, which {self.to} was deployed by, is not here; {commit}name "
                f"the file by --file."
            )
        return file

    def redeploy(self, endpoint: Endpoint) -> None:
        """Deploy the old deployment again, from its registered versions. ``endpoint`` has its file.
        Raises EndpointError."""
        record = self._record
        assert record  # noqa: S101
        self._write(record, RolloutPhase.ROLLING)
        try:
            endpoint.deploy(self.to, record.source)
            if endpoint.deployments().get(self.to) is not State.READY:
                raise EndpointError(
                    f"{self.to} did not get ready: {endpoint.logs(self.to).strip()[-500:]}"
                )
            endpoint.copy_autoscale(record.new, self.to)
        except BaseException:
            with contextlib.suppress(EndpointError):
                self._write(record, record.phase)
            raise

    def run(self, journal: Journal) -> RolloutOutcome:
        """Give the deployment all traffic; a rollout that is under way stops."""
        plan = Plan(self.to, self.others or (self._record.new if self._record else "none"), ())
        reason = f"mlops rollback was called by {whoever()}"
        scaled = [self._record.new] if self._record and self.to == self._record.old else []
        change = self._change(plan)
        return put_back(
            self._endpoint, plan, journal, reason, claim=self._claim, change=change, scaled=scaled
        )

    def _change(self, plan: Plan) -> Callable[[Status], Status]:
        record = replace(self._claim.record(plan, RolloutPhase.ROLLED_BACK), source=self.source)

        def change(status: Status) -> Status:
            current = self._read(status)
            is_back = current is not None and current.phase is RolloutPhase.ROLLED_BACK
            if is_back and same(status.traffic, plan.back):
                return status  # somebody else was faster
            self._check_same_run(current)
            if not self._named:
                self._check_traffic(status)
            return Status(plan.back, record.on(status.tags))

        return change

    def _write(self, record: Record, phase: RolloutPhase) -> None:
        made = replace(
            self._claim.record(Plan(record.old, record.new, ()), phase), source=record.source
        )

        def change(status: Status) -> Status:
            self._check_same_run(self._read(status))
            return replace(status, tags=made.on(status.tags))

        self._endpoint.update(change)

    def _read(self, status: Status) -> Record | None:
        try:
            return Record.read(status.tags, self._endpoint.name)
        except UnreadableTags:
            if self._named:
                return None
            raise

    def _check_same_run(self, current: Record | None) -> None:
        """Raise Overtaken if another rollout has begun, or ended, since this rollback was
        decided."""
        known = {self._claim.run, self._record.run if self._record else None}
        if current and current.run not in known:
            raise Overtaken(
                f"{current.by} has begun another rollout of {self._endpoint.name} meanwhile, "
                f"{current.old} to {current.new}; call this again if that is to be rolled back."
            )

    def _check_traffic(self, status: Status) -> None:
        """Raise Overtaken if the traffic is not what the rollout left."""
        record = self._record
        assert record  # noqa: S101
        old, new = Traffic({record.old: 100}), Traffic({record.new: 100})
        left = {RolloutPhase.PROMOTED: (old, new), RolloutPhase.ROLLED_BACK: (old,)}.get(
            record.phase, ()
        )
        under_way = record.phase in (RolloutPhase.ROLLING, RolloutPhase.HELD) and between(
            status.traffic, record.old, record.new
        )
        if under_way or any(same(status.traffic, one) for one in left):
            return
        raise Overtaken(
            f"{by_hand(status.traffic)} Name the deployment that is to have all of it: "
            f"mlops rollback {self._endpoint.name} --to NAME."
        )

    def _check_old(self, record: Record, state: State | None) -> None:
        name = self._endpoint.name
        if state is State.CREATING and not self._named:
            raise EndpointError(
                f"{record.old} is being deployed or changed now; call this again when that has "
                f"ended, or give it the traffic all the same: "
                f"mlops rollback {name} --to {record.old}."
            )
        if state is None or (state is State.FAILED and not self._named):
            raise _gone(record, name, "is no longer there" if state is None else "has failed")
        if not self._named and _differ(record.source, self._endpoint.source(record.old)):
            raise EndpointError(
                f"{record.old} was deployed anew since it served {record.source.model}. If it is "
                f"to have the traffic as it is now: mlops rollback {name} --to {record.old}."
            )


def _gone(record: Record, endpoint: str, what: str) -> EndpointError:
    source, old = record.source, record.old
    if not source.model:
        return EndpointError(
            f"{old} {what}, and its model is not on record; deploy it by hand, and then: "
            f"mlops rollback {endpoint} --to {old}."
        )
    commit = f" at commit {source.commit}" if source.commit else ""
    known, option = (
        (f", deployed by {source.file}{commit}", "") if source.file else ("", " --file FILE")
    )
    return Gone(
        f"{old} {what}. It had {source.model}{known}. To bring it back and give it the traffic: "
        f"mlops rollback {endpoint} --redeploy{option}."
    )


def _differ(before: Source, now: Source) -> bool:
    """True if a part that is known of both is another version."""
    parts = ("model", "code", "environment")
    pairs = [(getattr(before, part), getattr(now, part)) for part in parts]
    return any(one and other and one != other for one, other in pairs)
