"""One request from bytes to bytes: admit -> read -> validate -> cache or predict -> respond.

Knows no HTTP server, no environment and no globals: the model, the limits, the clock and the hooks are handed in.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import orjson

from admission import Admission
from cache import ANYTHING, CacheState, Directive, ResponseCache
from cache_scoring import Computed
from errors import InternalError, NonFinitePrediction, ScoringError
from measures import CACHE, PREDICT, QUEUE, READ, REQUEST, SERIALISE, STAGES, VALIDATE
from micro_batching import MicroBatcher
from model import Model, Predict
from payload import Limits
from predictions import non_finite
from telemetry import text, timestamp
from validation import Batch, validate

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Request(NamedTuple):
    """``read()`` gives the decompressed body, at most as long as the limit, or raises ClientError.

    The ids are of characters that JSON takes as they are, which ``http_request`` sees to.
    ``due``: when the answer is, where the request has been admitted already. ``at_once``: nothing may wait here.
    ``traceparent``: the caller's, where it is valid; ``trace`` is the id in it, or a new one.
    """

    request_id: str
    trace: str
    read: Callable[[], bytes]
    client_request_id: str | None = None
    cache: Directive = ANYTHING
    due: float | None = None
    at_once: bool = False
    traceparent: str | None = None


class MustWait(Exception):
    """A request that was to be answered at once is one for a thread that may wait; nothing has become of it yet."""


class Answer(NamedTuple):
    """To a request for scores ``body`` is valid JSON, whatever happened."""

    status: int
    body: bytes
    headers: Mapping[str, str] = NO_HEADERS
    content_type: str = "application/json"


@dataclass(slots=True)
class Outcome:
    """What became of a request, for the hooks.

    ``error`` is None where it was answered with ``predictions``, in JSON; ``non_finite`` counts the NaN and infinities
    among them. ``batch`` is None where the request was not valid. ``seconds``: by stage, as measures.py has them.
    """

    request_id: str
    client_request_id: str | None
    trace: str
    status: int = 200
    duration_ms: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    rows: int = 0
    non_finite: int = 0
    cache: CacheState = CacheState.OFF
    model_name: str | None = None
    model_version: str | None = None
    error: ScoringError | None = None
    batch: Batch | None = None
    predictions: bytes | None = None
    traceparent: str | None = None
    seconds: list[float] = field(default_factory=lambda: [0.0] * len(STAGES))


Hook = Callable[[Outcome], None]


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
        self._deployment = deployment
        self._null_for_non_finite = null_for_non_finite
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
        """Raises MustWait, where it is to be at once."""
        started = self._clock()
        outcome = Outcome(request.request_id, request.client_request_id, request.trace, traceparent=request.traceparent)
        try:
            predictions = self._predictions(request, outcome)
            computed = self._clock()
            outcome.duration_ms = (computed - started) * 1000
            answer = Answer(200, self._success(predictions, outcome))
            outcome.seconds[SERIALISE] += self._clock() - computed
        except ScoringError as error:
            answer = self._failure(error, outcome, started)
        except MustWait:
            raise
        except Exception as error:
            internal = InternalError("The service failed; the log has the details under this request id.")
            internal.__cause__ = error
            answer = self._failure(internal, outcome, started)
        outcome.bytes_out = len(answer.body)
        outcome.seconds[REQUEST] = self._clock() - started
        for hook in self._hooks:
            hook(outcome)
        return answer

    def _predictions(self, request: Request, outcome: Outcome) -> bytes:
        """The JSON of the predictions. Raises ScoringError."""
        if request.due is not None:
            return self._admitted(request, request.due, outcome)
        with self.admission.admit() as due:
            return self._admitted(request, due, outcome)

    def _admitted(self, request: Request, due: float, outcome: Outcome) -> bytes:
        model = self._source.model()
        outcome.model_name, outcome.model_version = model.name, model.version
        seconds, begun = outcome.seconds, self._clock()
        body = request.read()
        outcome.bytes_in, read = len(body), self._clock()
        seconds[READ] = read - begun
        batch = validate(body, model.contract, self._limits)
        validated = self._clock()
        seconds[VALIDATE] = validated - read
        outcome.batch, outcome.rows = batch, len(batch.X)
        at_once = model.quick(batch) if model.quick else None
        if request.at_once and not at_once:
            raise MustWait
        predictions = self._cache.predictions(
            model, batch, request.cache, lambda part: self._compute(model, at_once, part, due, outcome), due
        )
        outcome.cache, outcome.predictions = predictions.state, predictions.json
        rest = self._clock() - validated - seconds[QUEUE] - seconds[PREDICT]
        seconds[SERIALISE if predictions.state == CacheState.OFF else CACHE] += max(rest, 0.0)
        return predictions.json

    def _compute(self, model: Model, at_once: Predict | None, batch: Batch, due: float, outcome: Outcome) -> Computed:
        asked = self._clock()
        if at_once:
            answers = at_once(batch)
            outcome.seconds[PREDICT] += self._clock() - asked
        else:
            answers = self._in_its_turn(model.predict, batch, due, outcome, asked)
        bad = non_finite(answers)
        outcome.non_finite += bad
        if bad and not self._null_for_non_finite:
            raise NonFinitePrediction("The model predicted NaN or infinity, which JSON can't hold.")
        return Computed(answers, shareable=not bad)

    def _in_its_turn(self, predict: Predict, batch: Batch, due: float, outcome: Outcome, asked: float) -> list[Any]:
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

    def _success(self, predictions: bytes, outcome: Outcome) -> bytes:
        """Put together by hand: by way of a dict it would cost twice as much."""
        return (
            f'{{"predictions":{predictions.decode()},"metadata":{{"model_name":{text(outcome.model_name)},'
            f'"model_version":{text(outcome.model_version)},"deployment":{text(self._deployment)},'
            f'"request_id":"{outcome.request_id}","inference_time_ms":{outcome.duration_ms:.2f},'
            f'"timestamp":"{timestamp(self._now())}","num_predictions":{outcome.rows},"cache":"{outcome.cache}"}}}}'
        ).encode()

    def _failure(self, error: ScoringError, outcome: Outcome, started: float) -> Answer:
        outcome.error, outcome.status = error, int(error.status)
        outcome.duration_ms = (self._clock() - started) * 1000
        return failure(
            error,
            request_id=outcome.request_id,
            trace="".join(traceback.format_exception(error)) if self._expose_traceback else outcome.trace,
            model_version=self._source.version,
            now=self._now(),
        )


def failure(error: ScoringError, *, request_id: str, trace: str, model_version: str | None, now: float) -> Answer:
    """The answer to a request that can't be answered with predictions."""
    body = {
        "error": error.message,
        "code": error.code,
        "status": int(error.status),
        "location": error.location,
        "trace": trace,
        "metadata": {"request_id": request_id, "timestamp": timestamp(now), "model_version": model_version},
    }
    return Answer(int(error.status), orjson.dumps(body), error.headers)
