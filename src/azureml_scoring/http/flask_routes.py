"""The HTTP side under ``azmlinfsrv``: our answers as its responses, the probes beside its
``/score``, the lean lane.

The routes are added to the server's blueprint while it calls ``init()``. That is no public
interface: should it change, a line in the log says so, and ``/score`` still works.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from azureml_scoring import log
from azureml_scoring.errors import ClientError, MethodNotAllowed, RequestIdTooLong
from azureml_scoring.http.lean_lane import SCORE, LeanLane, is_score, probe_answer, steps_aside_for
from azureml_scoring.http.request_reader import RequestReader
from azureml_scoring.request import Answer, Request
from azureml_scoring.service import Service
from azureml_scoring.signals import dashboard
from azureml_scoring.signals.health import Health
from azureml_scoring.signals.metrics import Metrics

if TYPE_CHECKING:
    from flask import Response

SERVER_ROUTES = "azureml_inference_server_http.server.routes"

METHODS = ("GET", "POST", "OPTIONS")
"""That the server's own rule for ``/score`` takes."""

REFUSED_BY_SERVER: dict[int, tuple[type[ClientError], str]] = {
    405: (MethodNotAllowed, "Scoring takes POST."),
    431: (
        RequestIdTooLong,
        "x-request-id and x-ms-client-request-id may have 100 characters at most.",
    ),
}
"""What the server turns down on ``/score`` before we see it: those answers take our form too."""


class HttpScoring:
    """``/score`` as Flask sees it."""

    def __init__(self, service: Service, reader: RequestReader) -> None:
        self.service = service
        self.reader = reader

    def __call__(self, flask_request: Any) -> Response:
        environ = flask_request.environ
        if environ["REQUEST_METHOD"] == "OPTIONS":  # CORS: the server adds the headers
            return _response(Answer(200, b"{}", {"Allow": "POST, OPTIONS"}))
        request = self.reader(environ)
        _echo(request)
        return _response(self.service.score(request))

    def restate(self, response: Response) -> Response:
        """Flask calls it after each request: the server's own refusals of ``/score`` take our
        form."""
        import flask

        if (
            not is_score(flask.request.path) or "x-ms-run-fn-exec-ms" in response.headers
        ):  # run() answered
            return response
        if response.status_code in REFUSED_BY_SERVER:
            error, message = REFUSED_BY_SERVER[response.status_code]
            answer = self.service.score(self.reader.refused(flask.request.environ, error(message)))
            response.set_data(answer.body)
            response.headers.update(answer.headers)
        return response


Pages = Mapping[str, Callable[[], Answer]]


def pages_of(health: Health, metrics: Metrics, *, with_dashboard: bool = False) -> Pages:
    """What is beside ``/score``, by path."""
    probes = (health.health, health.readiness, health.liveness)
    pages: dict[str, Callable[[], Answer]] = {
        f"/{probe.__name__}": functools.partial(probe_answer, probe) for probe in probes
    }
    pages["/metrics"] = metrics.answer
    if with_dashboard:
        page = dashboard.page()
        pages["/dashboard"] = lambda: page
    return pages


def mount(scoring: HttpScoring, pages: Pages, *, lean: bool = True) -> None:
    """Add the pages' routes and the lean lane, where there is such a server."""
    server = sys.modules.get(SERVER_ROUTES)
    if server is None:
        return
    try:
        blueprint = server.main_blueprint
        for path, page in pages.items():
            blueprint.add_url_rule(path, path.removeprefix("/"), _view(page))
        blueprint.add_url_rule(
            f"{SCORE}/",
            "score_and_slash",
            server.handle_score,
            methods=METHODS,
            provide_automatic_options=False,
        )
        blueprint.after_app_request(scoring.restate)
        if lean and not steps_aside_for(server.config):
            blueprint.record_once(lambda state: _mount_lane(state.app, scoring, pages))
    except Exception as error:
        log.event(
            f"This azureml-inference-server-http is not one we know ({type(error).__name__}): no "
            f"/health, /readiness, "
            "/liveness and /metrics; probe / instead.",
            logging.WARNING,
        )


def _mount_lane(app: Any, scoring: HttpScoring, pages: Pages) -> None:
    """As WSGI middleware, in the place that Flask has for it."""
    try:
        version = os.environ.get("HTTP_X_MS_SERVER_VERSION", "")  # the server sets it
        app.wsgi_app = LeanLane(
            app.wsgi_app, scoring.service, scoring.reader, pages, server_version=version
        )
    except AttributeError:
        log.event(
            "This Flask is not one we know: no lean lane, requests take the longer way.",
            logging.WARNING,
        )


def _view(page: Callable[[], Answer]) -> Callable[[], Response]:
    return lambda: _response(page())


def _response(answer: Answer) -> Response:
    from azureml_inference_server_http.api.aml_response import AMLResponse

    headers: Mapping[str, str] = {"Content-Type": answer.content_type, **answer.headers}
    response: Response = AMLResponse(answer.body, answer.status, headers)
    return response


def _echo(request: Request) -> None:
    """The server answers with the ids in ``flask.g``, where it would else put one of its own
    making."""
    from flask import g

    g.request_id = request.request_id
    g.client_request_id = request.client_request_id or ""
    g.legacy_client_request_id = request.client_request_id or request.request_id
