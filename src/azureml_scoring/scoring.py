"""One request on its way to its answer, step by step: read, predict, answer, report."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

import orjson

from azureml_scoring.body_budget import LARGE_BODY_BYTES
from azureml_scoring.errors import InternalError, Overloaded, ScoringError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.media_types import CSV, JSON, NEVER_INLINE
from azureml_scoring.log import model_fields, timestamp
from azureml_scoring.model_runner import ModelRunner
from azureml_scoring.models.joint_predict import JointPredict
from azureml_scoring.models.model import Model, Predict
from azureml_scoring.outputs.encoders import ENCODERS
from azureml_scoring.request import Answer, CacheState, Hook, MustWait, Outcome, Request
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
    """The source of the model, which may still be loading."""

    @property
    def version(self) -> str | None: ...

    @property
    def loaded(self) -> Model | None: ...

    def model(self) -> Model:
        """Return the model. Raises NotReady."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What all requests share. ``deployment``: its name as a JSON string. ``overload_status``: 503
    or 429."""

    source: ModelSource
    cache: ResponseCache
    limits: Limits
    runner: ModelRunner
    deployment: str
    overload_status: int
    expose_traceback: bool
    hooks: Sequence[Hook]
    clock: Callable[[], float]
    now: Callable[[], float]


class Scoring:
    """One request. Call each step once: ``read``, ``predict``, ``answer``, ``report``; for a
    request that is refused, ``refuse``, ``answer``, ``report``.

    An error in a step becomes the answer. Several requests may take each step together, which is
    fastest: for all but the first the step's code is then in the processor's caches.
    """

    _model: Model
    _batch: Batch
    _inline: Predict | None
    _may_wait: bool

    def __init__(self, parts: Parts, request: Request, due: float, waited_s: float = 0.0) -> None:
        """``due``: the deadline, by the monotonic clock. ``waited_s``: how long the request has
        waited since it arrived."""
        self.request = request
        self._parts = parts
        self._due = due
        self._waited_s = waited_s
        self._started = parts.clock()
        self._outcome = Outcome(
            request.request_id,
            request.client_request_id,
            request.trace,
            traceparent=request.traceparent,
        )

    def read(self, *, may_wait: bool = True, joint: JointPredict | None = None) -> None:
        """Read and validate the body, and choose who predicts it.

        ``joint``: collects the single rows of requests that are predicted together. Raises MustWait
        if only a thread that may wait can answer the request; nothing is reported then.
        """
        parts, outcome, held = self._parts, self._outcome, self.request.held
        self._may_wait = may_wait
        if not may_wait and _with_table(self.request):
            raise MustWait
        try:
            self._model = model = parts.source.model()
            outcome.model_name, outcome.model_version = model.name, model.version
            body = self.request.read()
            outcome.bytes_in = len(body)
            if held and len(body) > LARGE_BODY_BYTES:
                held.turn()
            read = parts.clock()
            outcome.seconds[READ] = read - self._started
            self._batch = outcome.batch = batch = validate(
                body, model.contract, parts.limits, self.request.media_type
            )
            if held:
                held.end_turn()
            outcome.seconds[VALIDATE] = parts.clock() - read
            outcome.rows = len(batch.X)
            inline = model.quick(batch) if model.quick else None
            if not (inline or may_wait):
                raise MustWait
            if inline and joint and model.each and outcome.rows == 1:
                inline = joint.add(model.each, inline, batch)
            self._inline = inline
        except Exception as error:
            self._note(error)

    def refuse(self, error: ScoringError) -> None:
        """Answer with this error, in place of ``read`` and ``predict``."""
        outcome, model = self._outcome, self._parts.source.loaded
        if model:
            outcome.model_name, outcome.model_version = model.name, model.version
        outcome.error = error

    def predict(self) -> None:
        """Take the predictions from the cache or compute them, as JSON."""
        parts, outcome, seconds = self._parts, self._outcome, self._outcome.seconds
        if outcome.error:
            return
        begun = parts.clock()
        try:
            outcome.predictions, outcome.cache = parts.cache.predictions(
                self._model,
                self._batch,
                self.request.cache,
                lambda part: parts.runner.run(
                    self._model,
                    self._inline,
                    part,
                    self._due,
                    self.request.gone,
                    outcome,
                    may_wait=self._may_wait,
                ),
                self._due,
            )
        except Exception as error:
            self._note(error)
            return
        rest = parts.clock() - begun - seconds[QUEUE] - seconds[PREDICT]
        seconds[SERIALISE if outcome.cache is CacheState.OFF else CACHE] = rest if rest > 0 else 0.0

    def answer(self) -> Answer:
        """Return the answer, whatever happened."""
        outcome, answered = self._outcome, self._parts.clock()
        outcome.duration_ms = (answered - self._started + self._waited_s) * 1000
        outcome.seconds[QUEUE] += self._waited_s
        outcome.timestamp = timestamp(self._parts.now())
        answer = self._failure(outcome.error) if outcome.error else self._success()
        ended = self._parts.clock()
        if not outcome.error:
            outcome.seconds[SERIALISE] += ended - answered
        outcome.seconds[REQUEST] = ended - self._started + self._waited_s
        outcome.bytes_out = len(answer.body)
        return answer

    def report(self) -> None:
        """Tell the hooks what became of the request."""
        for hook in self._parts.hooks:
            hook(self._outcome)
        if self._outcome.error:
            _forget_tracebacks(self._outcome.error)

    def _note(self, error: Exception) -> ScoringError:
        """Keep the error for the answer, and return it."""
        if isinstance(error, MustWait):
            raise error
        if not isinstance(error, ScoringError):
            internal = InternalError(
                "The service failed; the log has the details under this request id."
            )
            internal.__cause__ = error
            error = internal
        self._outcome.error = error
        return error

    def _success(self) -> Answer:
        """Write the JSON by hand: a dict would cost twice as much."""
        if self.request.answer_type != JSON:
            return self._table()
        outcome = self._outcome
        body = (
            f'{{"predictions":{outcome.predictions.decode()},"metadata":{{'
            f"{model_fields(outcome.model_name, outcome.model_version)},"
            f'"deployment":{self._parts.deployment},"request_id":"{outcome.request_id}",'
            f'"inference_time_ms":{outcome.duration_ms:.2f},"timestamp":"{outcome.timestamp}",'
            f'"num_predictions":{outcome.rows},"cache":"{outcome.cache}"}}}}'
        ).encode()
        return Answer(200, body)

    def _table(self) -> Answer:
        """Return the predictions alone; what JSON says of them stands in headers."""
        outcome, form = self._outcome, self.request.answer_type
        try:
            body = ENCODERS[form](orjson.loads(outcome.predictions))
        except Exception as error:
            return self._failure(self._note(error))
        headers = {
            "x-model-name": quote(outcome.model_name or ""),
            "x-model-version": quote(outcome.model_version or ""),
            "x-scoring-cache": outcome.cache,
        }
        return Answer(200, body, headers, f"{CSV}; charset=utf-8" if form == CSV else form)

    def _failure(self, error: ScoringError) -> Answer:
        parts, outcome = self._parts, self._outcome
        overload = isinstance(error, Overloaded)
        outcome.status = parts.overload_status if overload else int(error.status)
        return failure(
            error,
            status=outcome.status,
            request_id=outcome.request_id,
            trace="".join(traceback.format_exception(error))
            if parts.expose_traceback
            else outcome.trace,
            model_version=parts.source.version,
            timestamp=outcome.timestamp,
        )


def failure(
    error: ScoringError,
    *,
    status: int,
    request_id: str,
    trace: str,
    model_version: str | None,
    timestamp: str,
) -> Answer:
    """Return the answer to a request that can't be answered with predictions."""
    body = {
        "error": error.message,
        "code": error.code,
        "status": status,
        "location": error.location,
        "trace": trace,
        "metadata": {
            "request_id": request_id,
            "timestamp": timestamp,
            "model_version": model_version,
        },
    }
    return Answer(status, orjson.dumps(body), error.headers)


def _with_table(request: Request) -> bool:
    """Whether the body or the answer is in a form that takes longer to read or write than JSON."""
    return request.answer_type != JSON or request.media_type in NEVER_INLINE


def _forget_tracebacks(error: BaseException | None) -> None:
    """Drop the tracebacks: their frames hold the body and, through the outcome, the error itself.
    That cycle would keep the body until a garbage collection."""
    while error:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
