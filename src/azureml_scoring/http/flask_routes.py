"""``run()`` under ``azmlinfsrv``: our answers as Flask's responses, and the pages beside it.

This is the contract, and the only way under gunicorn's own worker. The routes are added to the
server's blueprint while it calls ``init()``. That interface is not public: if it changes, a log
line says so, and ``/score`` still works.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from azureml_scoring import log
from azureml_scoring.errors import ClientError, MethodNotAllowed, RequestIdTooLong
from azureml_scoring.http.endpoint import MAX_ID_LENGTH, SCORE_PATH, is_score_path
from azureml_scoring.http.open_inference import OpenInference
from azureml_scoring.http.openapi import document
from azureml_scoring.http.openapi.document import SwaggerPage
from azureml_scoring.http.pages import Pages
from azureml_scoring.http.request_reader import RequestReader
from azureml_scoring.http.wanted import BEGAN, wanted_for_s
from azureml_scoring.request import Answer, Request
from azureml_scoring.service import Service

if TYPE_CHECKING:
    from flask import Response

SERVER_ROUTES = "azureml_inference_server_http.server.routes"

METHODS = ("GET", "POST", "OPTIONS")
"""The methods of the server's own rule for ``/score``."""

REFUSED_BY_SERVER: dict[int, tuple[type[ClientError], str]] = {
    405: (MethodNotAllowed, "Scoring takes POST."),
    431: (
        RequestIdTooLong,
        f"x-request-id and x-ms-client-request-id may have {MAX_ID_LENGTH} characters at most.",
    ),
}
"""The server's own refusals of ``/score`` before ``run()``; their answers get our form too."""


class HttpScoring:
    """``/score`` as Flask sees it."""

    def __init__(self, service: Service, reader: RequestReader) -> None:
        self._service = service
        self._reader = reader

    def __call__(self, flask_request: Any) -> Response:
        environ = flask_request.environ
        if environ["REQUEST_METHOD"] == "OPTIONS":  # CORS: the server adds the headers
            return _flask_response(Answer(200, b"{}", {"Allow": "POST, OPTIONS"}))
        due = self._service.admission.due(environ.get(BEGAN), wanted_for_s(environ))
        request = self._reader(environ, due)
        _echo(request)
        return _flask_response(self._service.score(request, due))

    def restate(self, response: Response) -> Response:
        """Give the server's own refusals of ``/score`` our form, and each 405 the header that it
        needs. Flask calls this after each request."""
        import flask

        if methods := getattr(flask.request.routing_exception, "valid_methods", None):
            response.headers["Allow"] = ", ".join(sorted(methods))
        run_answered = "x-ms-run-fn-exec-ms" in response.headers
        if run_answered or not is_score_path(flask.request.path):
            return response
        if response.status_code in REFUSED_BY_SERVER:
            error, message = REFUSED_BY_SERVER[response.status_code]
            refused = error(message)
            request = self._reader.received(flask.request.environ, refused)
            answer = self._service.refuse(request, refused)
            response.set_data(answer.body)
            response.headers.update(answer.headers)
        return response


def mount(
    scoring: HttpScoring, pages: Pages, protocol: OpenInference, swagger: SwaggerPage
) -> bool:
    """Add the routes of the pages, of the open protocol, and ``/score/``, to the server if this
    process has one; its ``/swagger.json`` becomes ours.

    Returns True if our worker may answer ahead of Flask.
    """
    server = sys.modules.get(SERVER_ROUTES)
    if server is None:
        return False
    try:
        blueprint = server.main_blueprint
        for path, page in pages.items():
            blueprint.add_url_rule(path, path.removeprefix("/"), _view(page))
        blueprint.add_url_rule(
            f"{SCORE_PATH}/",
            "score_and_slash",
            server.handle_score,
            methods=METHODS,
            provide_automatic_options=False,
        )
        for name, path, method, answer in protocol.routes:
            blueprint.add_url_rule(path, name, _protocol_view(answer), methods=[method])
        blueprint.before_request(_swagger_view(swagger))
        blueprint.after_app_request(scoring.restate)
        return flask_feature(server.config) is None
    except Exception as error:
        log.event(
            f"This azureml-inference-server-http has an unknown form ({type(error).__name__}): no "
            "/health, /readiness, /liveness and /metrics; probe / instead.",
            logging.WARNING,
        )
        return False


def flask_feature(server: Any, environ: Mapping[str, str] = os.environ) -> str | None:
    """Name the feature of the server that is on and works only in Flask. ``server``: its
    configuration. Raises AttributeError."""
    if server.app_insights_enabled:
        return "Application Insights"
    if server.cors_origins:
        return "CORS"
    if environ.get("SCORING_TIMEOUT_MS"):
        return "SCORING_TIMEOUT_MS"
    return None


def _view(page: Callable[[], Answer]) -> Callable[[], Response]:
    return lambda: _flask_response(page())


def _protocol_view(answer: Callable[..., Answer]) -> Callable[..., Response]:
    def view(**names: str) -> Response:
        import flask

        return _flask_response(answer(flask.request.environ, **names))

    return view


def _swagger_view(swagger: SwaggerPage) -> Callable[[], Response | None]:
    """Answer before the server's own rule for the path, which comes first among the rules."""

    def view() -> Response | None:
        import flask

        request = flask.request
        if request.path != document.PATH or request.method not in ("GET", "HEAD"):
            return None
        response = _flask_response(swagger(request.args.get("version")))
        response.make_conditional(request)
        return response

    return view


def _flask_response(answer: Answer) -> Response:
    from azureml_inference_server_http.api.aml_response import AMLResponse

    headers: Mapping[str, str] = {"Content-Type": answer.content_type, **answer.headers}
    response: Response = AMLResponse(answer.body, answer.status, headers)
    return response


def _echo(request: Request) -> None:
    """Put the ids into ``flask.g``, from where the server answers with them; else it makes its
    own."""
    from flask import g

    g.request_id = request.request_id
    g.client_request_id = request.client_request_id or ""
    g.legacy_client_request_id = request.client_request_id or request.request_id
