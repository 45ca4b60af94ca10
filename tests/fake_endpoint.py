"""An endpoint for the tests of our worker: what it takes, refuses and answers."""

import threading
import time
from typing import Any

from azureml_scoring.admission.wait_limit import WaitLimit
from azureml_scoring.body_budget import BodyBudget
from azureml_scoring.errors import ScoringError
from azureml_scoring.http.backlog import Backlog
from azureml_scoring.http.body_reader import BodyReader
from azureml_scoring.http.response import Response
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.models.joint_predict import JointPredict
from azureml_scoring.request import Answer, MustWait

PATIENCE = 60.0
LIMITS = Limits(max_bytes=100_000)


class Place:
    def __init__(self, endpoint: "Endpoint", places: int) -> None:
        self.endpoint, self.places = endpoint, places

    def __enter__(self) -> float:
        if self.endpoint.full:
            raise self.endpoint.full
        self.endpoint.in_flight += 1
        self.endpoint.places.append(self.places)
        return 1.0

    def __exit__(self, *_: object) -> None:
        self.endpoint.in_flight -= 1


class Endpoint:
    """Answers with what it was given as the body.

    ``full``: why it refuses; ``path``: of the requests to score. ``threads``: where it answered or
    tried to; ``places``: how many each took; ``environ``, ``terms``: the last ones.
    """

    def __init__(
        self,
        *,
        quick: bool = True,
        full: ScoringError | None = None,
        path: str = "/score",
        must_wait: bool = False,
        body_timeout_s: float = PATIENCE,
        budget_bytes: int = 10**6,
    ) -> None:
        self.in_flight = self.judged = 0
        self.quick = quick
        self.full = full
        self.path = path
        self.places: list[int] = []
        self.threads: list[str] = []
        self.must_wait = must_wait
        self.hold_back = threading.Event()
        self.hold_back.set()
        self.budget = BodyBudget(budget_bytes)
        reader = BodyReader(LIMITS, self.budget)
        self.hold, self.body_buffer = reader.hold, reader.buffer
        self.body_timeout_s = body_timeout_s
        self.backlog = Backlog(lambda: WaitLimit(PATIENCE))

    def due(self, started: float | None, wanted_for: float | None) -> float:
        self.terms = started, wanted_for
        self.began = time.monotonic() if started is None else started
        return self.began + (PATIENCE if wanted_for is None else wanted_for)

    def turn_away(self, due: float) -> ScoringError | None:
        self.judged += 1
        return self.full

    def refusal(self, due: float) -> ScoringError | None:
        return self.turn_away(due)

    def admit(self, due: float) -> Place:
        self.due_at = due
        return Place(self, 1)

    def at_once(self, requests: int, began: float = 0.0) -> Place:
        return Place(self, 0)

    def scores(self, environ: Any) -> bool:
        return environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"] == self.path

    def page(self, environ: Any) -> Response | None:
        return (
            Response(200, [("Content-Length", "5"), ("x-é", "é")], b"alive")
            if environ["PATH_INFO"] == "/liveness"
            else None
        )

    def score(
        self,
        environ: Any,
        body: bytes | ScoringError,
        due: float,
        started: float,
        *,
        held: Any = None,
        may_wait: bool = True,
    ) -> Response:
        assert self.in_flight
        self.try_to_answer(environ, may_wait)
        assert self.hold_back.wait(PATIENCE)
        return _refusal(body) if isinstance(body, ScoringError) else _good(body)

    def refuse(self, environ: Any, error: ScoringError, started: float) -> Response:
        return _refusal(error)

    def begin(self, environ: Any, body: bytes, joint: JointPredict, waited_s: float) -> "Scoring":
        self.try_to_answer(environ, may_wait=False)
        return Scoring(self, body)

    def headers(self, request: bytes, answer: Answer, started: float) -> list[tuple[str, str]]:
        assert answer.body == request
        return _good(request).headers

    def try_to_answer(self, environ: Any, may_wait: bool) -> None:
        self.environ = environ
        self.threads.append(threading.current_thread().name.split("_")[0])
        if self.must_wait and not may_wait:
            raise MustWait


class Scoring:
    """The steps of a request that was read."""

    def __init__(self, endpoint: Endpoint, request: bytes) -> None:
        self.endpoint, self.request = endpoint, request

    def predict(self) -> None:
        assert self.endpoint.in_flight == 1

    def answer(self) -> Answer:
        return Answer(200, self.request)

    def report(self) -> None:
        pass


def _good(body: bytes) -> Response:
    return Response(200, [("Content-Length", str(len(body)))], body)


def _refusal(error: ScoringError) -> Response:
    body = error.code.encode()
    return Response(int(error.status), [("Content-Length", str(len(body)))], body)
