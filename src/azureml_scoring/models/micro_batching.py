"""Joins requests that wait for a slot into one ``predict``, if rows together are cheaper.

Where a slot is free a request is computed at once, alone. Else it waits, and requests of the same
method that come meanwhile share its place in the queue. Their joint batch is closed when it has its
slot, so nothing waits for more rows, and the batches grow with the load. If the model refuses a
joint batch, or would compute its rows otherwise than one by one, its halves are computed
separately, down to the request that is to blame.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

import numpy as np

from azureml_scoring.admission.score_slots import ScoreSlots, SlotTicket
from azureml_scoring.admission.service_times import WorkKind
from azureml_scoring.errors import ClientGone, ModelFailed, ModelRefusedInput
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.batch_size import BatchSize
from azureml_scoring.models.model import Model


class Answers(NamedTuple):
    """``values``: one for each row. ``predict_s``: from when the slot was had."""

    values: list[Any]
    predict_s: float


class MicroBatcher:
    """Joins concurrent requests of one model. ``clock``: that of ``slots``."""

    def __init__(self, slots: ScoreSlots, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._slots = slots
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, _Joint] = {}
        self._sizes: dict[str, BatchSize] = {}

    def predict(
        self, model: Model, batch: Batch, due: float, gone: Callable[[], bool] = lambda: False
    ) -> Answers:
        """Answer ``batch``, joined with others of its method up to ``model.joint_rows``.

        ``gone``: the client has hung up. Raises what ``model.predict`` raises, Overloaded,
        DeadlineExceeded or ClientGone.
        """
        member = _Member(batch, due, gone)
        try:
            joint = self._join(member, model.joint_rows)
            self._slots.wait_for_slot(joint.ticket, due)
            if gone():
                raise ClientGone
            self._run(joint, model)
        except BaseException:  # the server's SIGALRM may strike anywhere
            self._leave(member)
            raise
        return self._slots.result(member.answers, due)

    def _join(self, member: _Member, max_rows: int) -> _Joint:
        method, rows = member.batch.method, len(member.batch.X)
        with self._lock:
            joint = self._open.get(method)
            if joint and joint.ticket.room >= rows:
                self._slots.share(joint.ticket, rows, member.due)
                joint.add(member)
                return joint
            if method not in self._sizes:
                self._sizes[method] = BatchSize(max_rows, self._slots.objective)
            ticket = self._slots.ticket(
                WorkKind.of(method, rows),
                member.due,
                rows=rows,
                max_rows=self._sizes[method].rows,
            )
            joint = _Joint(ticket)
            joint.add(member)
            self._slots.join(ticket)
            self._open[method] = joint
            return joint

    def _leave(self, member: _Member) -> None:
        """Take a request out of its batch, if that is not closed."""
        with self._lock:
            joint = member.joint
            if joint is None or joint.is_closed:
                return
            if len(joint.members) > 1:
                self._drop(joint, member)
            else:
                self._close(joint)
                self._slots.withdraw(joint.ticket)

    def _run(self, joint: _Joint, model: Model) -> None:
        """Close the batch and compute it, unless another of its requests has done so."""
        try:
            with self._lock:
                if joint.is_closed:
                    return
                self._close(joint)
            self._drop_unwanted(joint)
            self._slots.run(
                joint.ticket, lambda: self._predict(model, joint.members, self._clock())
            )
        except BaseException as error:  # no thread can be started, or a signal strikes
            if self._slots.withdraw(joint.ticket):
                _fail(joint.members, error)
            raise

    def _drop_unwanted(self, joint: _Joint) -> None:
        """Leave out whom nobody waits for. Without the lock: asking takes time, and only this
        thread changes a batch that is closed."""
        for member in joint.members[:]:
            if len(joint.members) == 1:
                return
            is_gone = member.gone()
            if is_gone or self._clock() >= member.due:
                self._drop(joint, member)
            if is_gone:
                member.answers.set_exception(ClientGone())

    def _close(self, joint: _Joint) -> None:
        method = joint.ticket.kind.method
        if self._open.get(method) is joint:
            del self._open[method]
        joint.is_closed = True

    def _drop(self, joint: _Joint, member: _Member) -> None:
        joint.members.remove(member)
        self._slots.unshare(joint.ticket, len(member.batch.X))

    def _predict(self, model: Model, members: Sequence[_Member], begun: float) -> None:
        """Give each member its answers. ``begun``: when the slot was had."""
        predict = model.predict
        if len(members) > 1 and model.predict_jointly:
            predict = model.predict_jointly
        started = self._clock()
        try:
            whole = _whole(members)
            values = predict(whole)
        except (ModelFailed, ModelRefusedInput) as error:
            if len(members) == 1:
                _fail(members, error)
                return
            half = len(members) // 2
            self._predict(model, members[:half], begun)
            self._predict(model, members[half:], begun)
        except BaseException as error:
            _fail(members, error)
        else:
            now, start = self._clock(), 0
            with self._lock:
                self._sizes[whole.method].add(len(whole.X), now - started)
            for member in members:
                end = start + len(member.batch.X)
                member.answers.set_result(Answers(values[start:end], now - begun))
                start = end


class _Member:
    """A request of a joint batch."""

    def __init__(self, batch: Batch, due: float, gone: Callable[[], bool]) -> None:
        self.batch = batch
        self.due = due
        self.gone = gone
        self.answers: Future[Answers] = Future()
        self.joint: _Joint | None = None


class _Joint:
    """Requests that share a slot; until it is closed, others may join."""

    def __init__(self, ticket: SlotTicket) -> None:
        self.ticket = ticket
        self.members: list[_Member] = []
        self.is_closed = False

    def add(self, member: _Member) -> None:
        member.joint = self
        self.members.append(member)


def _whole(members: Sequence[_Member]) -> Batch:
    first = members[0].batch
    if len(members) == 1:
        return first
    return first._replace(X=np.concatenate([member.batch.X for member in members]))


def _fail(members: Sequence[_Member], error: BaseException) -> None:
    for member in members:
        member.answers.set_exception(error)
