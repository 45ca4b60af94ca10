"""The HTTP side under ``azmlinfsrv``: our answers as its responses, and the probes beside its ``/score``.

The routes are added to the server's blueprint while it calls ``init()``. That is no public interface: should it change,
a line in the log says so, and ``/score`` still works.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

import telemetry
from errors import ClientError, MethodNotAllowed, RequestIdTooLong
from health import Health, Probe
from http_request import RequestReader
from service import Answer, Request, Service

if TYPE_CHECKING:
    from flask import Response

SERVER_ROUTES = "azureml_inference_server_http.server.routes"
SCORE = "/score"

REFUSED_BY_SERVER: dict[int, tuple[type[ClientError], str]] = {
    405: (MethodNotAllowed, "Scoring takes POST."),
    431: (RequestIdTooLong, "x-request-id and x-ms-client-request-id may have 100 characters at most."),
}
"""What the server turns down on ``/score`` before we see it: those answers take our form too."""


class HttpScoring:
    """``/score`` as Flask sees it."""

    def __init__(self, service: Service, reader: RequestReader) -> None:
        self._service = service
        self._reader = reader

    def __call__(self, flask_request: Any) -> Response:
        environ = flask_request.environ
        if environ["REQUEST_METHOD"] == "OPTIONS":  # CORS: the server adds the headers
            return _response(Answer(200, b"{}", {"Allow": "POST, OPTIONS"}))
        request = self._reader(environ)
        _echo(request)
        return _response(self._service.score(request))

    def restate(self, response: Response) -> Response:
        """Flask calls it after each request: the server's own refusals of ``/score`` take our form."""
        import flask

        if flask.request.path != SCORE or "x-ms-run-fn-exec-ms" in response.headers:  # run() answered
            return response
        if response.status_code in REFUSED_BY_SERVER:
            error, message = REFUSED_BY_SERVER[response.status_code]
            answer = self._service.score(self._reader.refused(flask.request.environ, error(message)))
            response.set_data(answer.body)
            response.headers.update(answer.headers)
        return response


def mount(scoring: HttpScoring, health: Health) -> None:
    """Add the probes' routes, where there is such a server."""
    server = sys.modules.get(SERVER_ROUTES)
    if server is None:
        return
    try:
        blueprint = server.main_blueprint
        for probe in (health.health, health.readiness, health.liveness):
            blueprint.add_url_rule(f"/{probe.__name__}", probe.__name__, _view(probe))
        blueprint.after_app_request(scoring.restate)
    except Exception as error:
        telemetry.event(
            f"This azureml-inference-server-http is not one we know ({type(error).__name__}): no /health, /readiness "
            "and /liveness; probe / instead.",
            logging.WARNING,
        )


def _view(probe: Callable[[], Probe]) -> Callable[[], Response]:
    def view() -> Response:
        body, status = probe()
        headers = {"Retry-After": "5"} if status != 200 else {}
        return _response(Answer(status, orjson.dumps(body), headers))

    return view


def _response(answer: Answer) -> Response:
    from azureml_inference_server_http.api.aml_response import AMLResponse

    headers: Mapping[str, str] = {"Content-Type": "application/json"} | answer.headers
    response: Response = AMLResponse(answer.body, answer.status, headers)
    return response


def _echo(request: Request) -> None:
    """The server answers with the ids in ``flask.g``, where it would else put one of its own making."""
    from flask import g

    g.request_id = request.request_id
    g.client_request_id = request.client_request_id or ""
    g.legacy_client_request_id = request.client_request_id or request.request_id
