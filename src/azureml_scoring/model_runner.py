"""Runs the model for a batch: on the request's own thread or in a slot."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from azureml_scoring.admission.admission import Admission
from azureml_scoring.admission.service_times import WorkKind
from azureml_scoring.caching.lookup import Computed
from azureml_scoring.errors import ModelRefusedInput, NonFinitePrediction, NotReady
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.estimator_on_demand import EstimatorNeeded, EstimatorOnDemand
from azureml_scoring.models.micro_batching import MicroBatcher
from azureml_scoring.models.model import Model, Predict
from azureml_scoring.models.predictions import NOT_FINITE, non_finite
from azureml_scoring.request import Gone, Outcome
from azureml_scoring.shared.measures import PREDICT, QUEUE


class ModelRunner:
    """Runs one model. ``null_for_non_finite``: NaN and infinity become null, and are not
    refused."""

    def __init__(
        self,
        admission: Admission,
        *,
        null_for_non_finite: bool,
        clock: Callable[[], float],
    ) -> None:
        self._slots = admission.slots
        self._batcher = MicroBatcher(admission.slots)
        self._null_for_non_finite = null_for_non_finite
        self._clock = clock
        self._has_answered = False

    def run(
        self,
        model: Model,
        inline: Predict | None,
        batch: Batch,
        due: float,
        gone: Gone,
        outcome: Outcome,
        *,
        may_wait: bool = True,
    ) -> Computed:
        """Predict the batch by ``inline`` if it is given, else in a slot until ``due``, unless the
        client has ``gone``.

        Adds the seconds of queueing and predicting to ``outcome``, and the count of NaN and
        infinities. Raises ScoringError.
        """
        try:
            answers = self._answers(model, inline, batch, due, gone, outcome)
        except EstimatorNeeded as needed:
            self._load(needed.estimator, outcome, due, may_wait=may_wait)
            answers = self._answers(model, None, batch, due, gone, outcome)
        bad = non_finite(answers)
        if bad:
            outcome.non_finite += bad
            self._refuse_non_finite(model)
        elif not self._has_answered:
            self._has_answered = True
        return Computed(answers, shareable=not bad)

    def _load(
        self, estimator: EstimatorOnDemand, outcome: Outcome, due: float, *, may_wait: bool
    ) -> None:
        """Wait until the estimator is loaded, with no slot taken. Raises ScoringError."""
        if not may_wait:
            estimator.begin()
            raise NotReady(
                "Only the model's estimator can answer this request, and it is being loaded; send "
                "it again after the time in the header Retry-After."
            )
        begun = self._clock()
        try:
            estimator.loaded(max(due - time.monotonic(), 0))
        finally:
            outcome.seconds[QUEUE] += self._clock() - begun

    def _answers(
        self,
        model: Model,
        inline: Predict | None,
        batch: Batch,
        due: float,
        gone: Gone,
        outcome: Outcome,
    ) -> list[Any]:
        """Predict inline or in a slot, together with the rows of other requests if the model allows
        it."""
        queued = self._clock()
        if inline:
            answers = inline(batch)
            outcome.seconds[PREDICT] += self._clock() - queued
            return answers
        if model.joint_rows > 1 and not batch.params:
            joint = self._batcher.predict(model, batch, due, gone)
            outcome.seconds[QUEUE] += self._clock() - queued - joint.predict_s
            outcome.seconds[PREDICT] += joint.predict_s
            return joint.values

        def timed() -> list[Any]:
            begun = self._clock()
            outcome.seconds[QUEUE] += begun - queued
            answers = model.predict(batch)
            outcome.seconds[PREDICT] += self._clock() - begun
            return answers

        kind = WorkKind.of(batch.method, len(batch.X))
        return self._slots.compute(timed, kind, due, gone)

    def _refuse_non_finite(self, model: Model) -> None:
        """Raise, unless NaN and infinity become null.

        If the model has answered with finite numbers before, the row or the method is to blame.
        """
        if self._null_for_non_finite:
            return
        if model.proven or self._has_answered:
            raise ModelRefusedInput(NOT_FINITE)
        raise NonFinitePrediction("The model predicted NaN or infinity, which JSON can't hold.")
