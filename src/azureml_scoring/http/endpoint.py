"""``/score`` and the pages beside it, answered by our worker ahead of Flask.

Status, body and headers are the same as Flask's. Unusual requests (another method, long ids, the
server's tracing headers) go on to Flask.
"""

from __future__ import annotations

import time

from azureml_scoring.body_budget import Held
from azureml_scoring.errors import Overloaded, ScoringError
from azureml_scoring.http.backlog import Backlog
from azureml_scoring.http.body_reader import Environ
from azureml_scoring.http.pages import Pages
from azureml_scoring.http.request_reader import RequestReader
from azureml_scoring.http.response import Response, all_headers, response
from azureml_scoring.models.joint_predict import JointPredict
from azureml_scoring.request import Answer, Request
from azureml_scoring.scoring import Scoring
from azureml_scoring.service import Service

SCORE_PATH = "/score"
MAX_ID_LENGTH = 100
"""Characters. The server refuses longer ids with 431."""


class ScoringEndpoint:
    """Answers for the front of our worker.

    ``ahead_of_flask``: False if Flask must answer everything. ``server_version``: azmlinfsrv's, for
    a header; "" if it is not to be shown.
    """

    def __init__(
        self,
        service: Service,
        reader: RequestReader,
        pages: Pages,
        *,
        ahead_of_flask: bool = True,
        server_version: str = "",
    ) -> None:
        self._service = service
        self._reader = reader
        self._pages = pages if ahead_of_flask else {}
        self._ahead_of_flask = ahead_of_flask
        self._server_headers = [("x-ms-server-version", server_version)] if server_version else []
        self.due = service.admission.due
        self.turn_away = service.admission.turn_away
        self.admit = service.admission.admit
        self.at_once = service.admission.at_once
        self.backlog = Backlog(service.admission.new_limit, publish=service.admission.refuse_inline)
        self.hold = reader.body.hold
        self.body_buffer = reader.body.buffer
        self.body_timeout_s = reader.body.timeout_s

    @property
    def quick(self) -> bool:
        """True if small requests may be answered on the event loop."""
        return self._ahead_of_flask and self._service.quick

    def refusal(self, due: float) -> Overloaded | None:
        """Return why a request is refused that wants its answer by ``due``; None if it is not."""
        return self.turn_away(due) if self._ahead_of_flask else None

    def scores(self, environ: Environ) -> bool:
        """Return True for a request to score that need not go to Flask."""
        return (
            self._ahead_of_flask
            and environ["REQUEST_METHOD"] == "POST"
            and is_score_path(environ["PATH_INFO"])
            and not is_unusual(environ)
        )

    def page(self, environ: Environ) -> Response | None:
        """Return the answer of a probe or of another page; None if there is no such page."""
        if environ["REQUEST_METHOD"] == "GET" and (page := self._pages.get(environ["PATH_INFO"])):
            return response(page(), self._server_headers)
        return None

    def score(
        self,
        environ: Environ,
        body: bytes | ScoringError,
        due: float,
        started: float,
        *,
        held: Held | None = None,
        may_wait: bool = True,
    ) -> Response:
        """Answer a request that was admitted.

        ``body``: as received, or why it was not. ``due``: the deadline that admission gave.
        ``started``: when the request arrived, by ``time.perf_counter``. Raises MustWait.
        """
        request = self._reader.received(environ, body, held)
        answer = self._service.score_admitted(request, due, may_wait=may_wait)
        return self._response(request, answer, started)

    def refuse(self, environ: Environ, error: ScoringError, started: float) -> Response:
        """Answer a request to score with this error, its body unread."""
        request = self._reader.received(environ, error)
        return self._response(request, self._service.refuse(request, error), started)

    def _response(self, request: Request, answer: Answer, started: float) -> Response:
        return Response(answer.status, self.headers(request, answer, started), answer.body)

    def begin(
        self, environ: Environ, body: bytes, joint: JointPredict, waited_s: float = 0.0
    ) -> Scoring:
        """Read and validate a small request, whose next steps the caller takes. Raises MustWait.

        ``waited_s``: how long it has waited since it arrived.
        """
        request = self._reader.received(environ, body)
        scoring = self._service.begin(request, self._service.admission.due(), waited_s)
        scoring.read(may_wait=False, joint=joint)
        return scoring

    def headers(self, request: Request, answer: Answer, started: float) -> list[tuple[str, str]]:
        """Return all headers of an answer to a request to score, as azmlinfsrv's contract has
        them."""
        request_id, client_id = request.request_id, request.client_request_id
        headers = [
            *self._server_headers,
            ("x-ms-run-function-failed", "True" if answer.status >= 500 else "False"),
            ("x-ms-run-fn-exec-ms", f"{(time.perf_counter() - started) * 1000:.3f}"),
            ("x-request-id", request_id),
            ("x-ms-request-id", client_id or request_id),
        ]
        if client_id:
            headers.append(("x-ms-client-request-id", client_id))
        return all_headers(answer, headers)


def is_score_path(path: str) -> bool:
    """Return True also for ``//score`` and ``/score/``: joining a base URL and a path makes
    them."""
    return path.strip("/") == "score"


def is_unusual(environ: Environ) -> bool:
    """Return True if there are headers that only the server can answer."""
    return (
        "HTTP_TRACEID" in environ
        or "HTTP_X_MS_REQUEST_ID" in environ
        or len(environ.get("HTTP_X_REQUEST_ID", "")) > MAX_ID_LENGTH
        or len(environ.get("HTTP_X_MS_CLIENT_REQUEST_ID", "")) > MAX_ID_LENGTH
    )
