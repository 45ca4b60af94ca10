"""One request from bytes to bytes: admit -> read -> validate -> cache or predict -> respond.

Knows no HTTP server, no environment and no globals: the model, the limits, the clock and the hooks
are handed in.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import orjson

from azureml_scoring.admission import Admission
from azureml_scoring.body_budget import LARGE
from azureml_scoring.caching.lookup import Computed
from azureml_scoring.errors import (
    InternalError,
    ModelRefusedInput,
    NonFinitePrediction,
    Overloaded,
    ScoringError,
)
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.payload import Limits
from azureml_scoring.log import model_fields, text, timestamp
from azureml_scoring.models.joint_predict import JointPredict
from azureml_scoring.models.micro_batching import MicroBatcher
from azureml_scoring.models.model import Model, Predict
from azureml_scoring.models.predictions import non_finite
from azureml_scoring.request import Answer, CacheState, Directive, Hook, MustWait, Outcome, Request
from azureml_scoring.shared.measures import (
    CACHE,
    PREDICT,
    QUEUE,
    READ,
    REQUEST,
    SERIALISE,
    VALIDATE,
)
from cache import ResponseCache
from validation import validate


class ModelSource(Protocol):
    """Where the model comes from: it may still be loading."""

    @property
    def version(self) -> str | None: ...

    @property
    def loaded(self) -> Model | None: ...

    def model(self) -> Model:
        """Raises NotReady."""


class Service:
    """``score(request)`` -> Answer, whatever happens."""

    def __init__(
        self,
        source: ModelSource,
        admission: Admission,
        cache: ResponseCache,
        limits: Limits,
        *,
        batcher: MicroBatcher | None = None,
        deployment: str,
        null_for_non_finite: bool = False,
        expose_traceback: bool = False,
        hooks: Sequence[Hook] = (),
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self.admission = admission
        self._cache = cache
        self._batcher = batcher
        self._limits = limits
        self._deployment = text(deployment)
        self._null_for_non_finite = null_for_non_finite
        self._has_answered = False
        self._expose_traceback = expose_traceback
        self._hooks = hooks
        self._clock = clock
        self._now = now

    @property
    def quick(self) -> bool:
        """Hardly anything waits here: the model is quick, and no cache is far away."""
        model = self._source.loaded
        return model is not None and model.quick is not None and not self._cache.far_away

    def score(self, request: Request) -> Answer:
        """All steps."""
        if request.due is not None:
            try:
                (answer,) = filter(None, self.steps(request, request.due))
                return answer
            finally:
                if request.held:
                    request.held.release()
        try:
            with self.admission.admit() as due:
                return self.score(request._replace(due=due))
        except Overloaded as error:
            return self.score(request.refused(error))

    def steps(
        self, request: Request, due: float, joint: JointPredict | None = None
    ) -> Iterator[Answer | None]:
        """The same, in steps: read and validated; predicted; answered, which gives the answer; told
        of.

        Between them other requests may be advanced, which is how several take least time: each
        step's code is then in the processor's caches for all but the first. Raises MustWait at the
        first one. ``due``: when the answer is. ``joint``: of those that are advanced together.
        """
        started = self._clock()
        outcome = Outcome(
            request.request_id,
            request.client_request_id,
            request.trace,
            traceparent=request.traceparent,
        )
        try:
            model = self._source.model()
            batch = self._read(request, model, started, outcome)
            at_once = model.quick(batch) if model.quick else None
            if request.at_once and not at_once:
                raise MustWait
            if joint and at_once and model.each and len(batch.X) == 1:
                at_once = joint.add(model.each, batch)
            yield None
            self._predict(model, at_once, batch, request.cache, due, outcome)
            yield None
            answer = self._success(outcome, started)
        except ScoringError as error:
            answer = self._failure(error, outcome, started)
        except MustWait:
            raise
        except Exception as error:
            internal = InternalError(
                "The service failed; the log has the details under this request id."
            )
            internal.__cause__ = error
            answer = self._failure(internal, outcome, started)
        outcome.bytes_out = len(answer.body)
        yield answer
        for hook in self._hooks:
            hook(outcome)
        if outcome.error:
            _forget_tracebacks(outcome.error)

    def _read(self, request: Request, model: Model, started: float, outcome: Outcome) -> Batch:
        outcome.model_name, outcome.model_version = model.name, model.version
        seconds, body = outcome.seconds, request.read()
        outcome.bytes_in = len(body)
        if request.held and len(body) > LARGE:
            request.held.turn()
        read = self._clock()
        seconds[READ] = read - started
        outcome.batch = batch = validate(body, model.contract, self._limits)
        if request.held:
            request.held.end_turn()
        seconds[VALIDATE] = self._clock() - read
        outcome.rows = len(batch.X)
        return batch

    def _predict(
        self,
        model: Model,
        at_once: Predict | None,
        batch: Batch,
        wanted: Directive,
        due: float,
        outcome: Outcome,
    ) -> None:
        """From the cache, or computed; as JSON."""
        seconds, begun = outcome.seconds, self._clock()
        predictions = self._cache.predictions(
            model,
            batch,
            wanted,
            lambda part: self._compute(model, at_once, part, due, outcome),
            due,
        )
        outcome.predictions, outcome.cache = predictions
        rest = self._clock() - begun - seconds[QUEUE] - seconds[PREDICT]
        seconds[SERIALISE if outcome.cache is CacheState.OFF else CACHE] = rest if rest > 0 else 0.0

    def _compute(
        self, model: Model, at_once: Predict | None, batch: Batch, due: float, outcome: Outcome
    ) -> Computed:
        asked = self._clock()
        if at_once:
            answers = at_once(batch)
            outcome.seconds[PREDICT] += self._clock() - asked
        else:
            answers = self._in_its_turn(model.predict, batch, due, outcome, asked)
        bad = non_finite(answers)
        if bad:
            outcome.non_finite += bad
            self._refuse_non_finite(model)
        elif not self._has_answered:
            self._has_answered = True
        return Computed(answers, shareable=not bad)

    def _refuse_non_finite(self, model: Model) -> None:
        """Of a model that has answered with numbers it is the row, or the method, that gives NaN or
        infinity."""
        if self._null_for_non_finite:
            return
        if model.proven or self._has_answered:
            raise ModelRefusedInput(
                "The model's answer to these values is NaN or infinite, as the logarithm of a "
                "probability of 0 is, and "
                "JSON has neither; ask for another method, or have SCORING_NON_FINITE_OUTPUT=null "
                "write null."
            )
        raise NonFinitePrediction("The model predicted NaN or infinity, which JSON can't hold.")

    def _in_its_turn(
        self, predict: Predict, batch: Batch, due: float, outcome: Outcome, asked: float
    ) -> list[Any]:
        """In a slot, perhaps with the rows of other requests."""

        def timed(rows: Batch) -> list[Any]:
            begun = self._clock()
            outcome.seconds[QUEUE] += begun - asked
            answers = predict(rows)
            outcome.seconds[PREDICT] += self._clock() - begun
            return answers

        if self._batcher:
            return self._batcher.predict(timed, batch, due)
        return self.admission.compute(lambda: timed(batch), due)

    def _success(self, outcome: Outcome, started: float) -> Answer:
        """Put together by hand: by way of a dict it would cost twice as much."""
        predicted = self._clock()
        outcome.duration_ms = (predicted - started) * 1000
        outcome.timestamp = timestamp(self._now())
        body = (
            f'{{"predictions":{outcome.predictions.decode()},"metadata":{{'
            f'{model_fields(outcome.model_name, outcome.model_version)},"deployment":{self._deployment},'
            f'"request_id":"{outcome.request_id}","inference_time_ms":{outcome.duration_ms:.2f},'
            f'"timestamp":"{outcome.timestamp}","num_predictions":{outcome.rows},"cache":"{outcome.cache}"}}}}'
        ).encode()
        ended = self._clock()
        outcome.seconds[SERIALISE] += ended - predicted
        outcome.seconds[REQUEST] = ended - started
        return Answer(200, body)

    def _failure(self, error: ScoringError, outcome: Outcome, started: float) -> Answer:
        outcome.error, outcome.status = error, int(error.status)
        outcome.seconds[REQUEST] = took = self._clock() - started
        outcome.duration_ms = took * 1000
        outcome.timestamp = timestamp(self._now())
        return failure(
            error,
            request_id=outcome.request_id,
            trace="".join(traceback.format_exception(error))
            if self._expose_traceback
            else outcome.trace,
            model_version=self._source.version,
            timestamp=outcome.timestamp,
        )


def _forget_tracebacks(error: BaseException | None) -> None:
    """Their frames hold the body, and the error through the outcome: until a garbage collection
    finds the cycle."""
    while error:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def failure(
    error: ScoringError, *, request_id: str, trace: str, model_version: str | None, timestamp: str
) -> Answer:
    """The answer to a request that can't be answered with predictions."""
    body = {
        "error": error.message,
        "code": error.code,
        "status": int(error.status),
        "location": error.location,
        "trace": trace,
        "metadata": {
            "request_id": request_id,
            "timestamp": timestamp,
            "model_version": model_version,
        },
    }
    return Answer(int(error.status), orjson.dumps(body), error.headers)
