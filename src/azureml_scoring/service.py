"""The scoring service: admits a request and takes it through the steps of ``Scoring``.

Knows no HTTP server, no environment and no globals: the model, the limits, the clock and the hooks
are handed in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from azureml_scoring.admission.admission import Admission
from azureml_scoring.errors import Overloaded, ScoringError
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.log import text
from azureml_scoring.model_runner import ModelRunner
from azureml_scoring.request import Answer, Hook, Request
from azureml_scoring.scoring import ModelSource, Parts, Scoring
from cache import ResponseCache


class Service:
    """``score(request)`` returns an Answer, whatever happens."""

    def __init__(
        self,
        source: ModelSource,
        admission: Admission,
        cache: ResponseCache,
        limits: Limits,
        *,
        deployment: str,
        null_for_non_finite: bool = False,
        overload_status: int = 503,
        expose_traceback: bool = False,
        hooks: Sequence[Hook] = (),
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.admission = admission
        self._parts = Parts(
            source,
            cache,
            limits,
            ModelRunner(admission, null_for_non_finite=null_for_non_finite, clock=clock),
            text(deployment),
            overload_status,
            expose_traceback,
            hooks,
            clock,
            now,
        )

    @property
    def quick(self) -> bool:
        """True if hardly anything waits here: the model is quick, and no cache is far away."""
        model = self._parts.source.loaded
        return model is not None and model.quick is not None and not self._parts.cache.far_away

    def score(self, request: Request, due: float | None = None) -> Answer:
        """Admit the request and answer it. ``due``: its deadline, by the monotonic clock."""
        try:
            with self.admission.admit(due) as deadline:
                return self.score_admitted(request, deadline)
        except Overloaded as error:
            return self.refuse(request, error)

    def score_admitted(self, request: Request, due: float, *, may_wait: bool = True) -> Answer:
        """Answer a request that was admitted before its body was read. ``due``: its deadline, by
        the monotonic clock. Raises MustWait, unless it may wait."""
        try:
            scoring = self.begin(request, due)
            scoring.read(may_wait=may_wait)
            scoring.predict()
            answer = scoring.answer()
            scoring.report()
            return answer
        finally:
            if request.held:
                request.held.release()

    def refuse(self, request: Request, error: ScoringError) -> Answer:
        """Answer with this error in place of reading the body. It is reported as any other."""
        scoring = self.begin(request, 0.0)
        scoring.refuse(error)
        answer = scoring.answer()
        scoring.report()
        return answer

    def begin(self, request: Request, due: float, waited_s: float = 0.0) -> Scoring:
        """Return the request's steps, for a caller that takes them one by one. ``waited_s``: how
        long the request has waited since it arrived."""
        return Scoring(self._parts, request, due, waited_s)
