import io
import json
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from azureml_scoring import log
from azureml_scoring.http import flask_routes


@pytest.mark.parametrize("server", [SimpleNamespace(), SimpleNamespace(main_blueprint=object())])
def test_a_server_that_is_not_as_we_know_it_is_told_once(
    monkeypatch: pytest.MonkeyPatch, server: Any
):
    """Its internals are not public: without our routes /score still works, so the start goes on."""
    log.set_up()
    stream = io.StringIO()
    log.logger.handlers[0].stream = stream
    monkeypatch.setitem(sys.modules, flask_routes.SERVER_ROUTES, server)
    assert not flask_routes.mount(
        SimpleNamespace(restate=None), {"/health": pytest.fail}, SimpleNamespace(routes=[]), None
    )
    (line,) = map(json.loads, stream.getvalue().splitlines())
    assert line["level"] == "warning"
    assert "probe / instead" in line["message"]


@pytest.mark.parametrize(
    ("server", "environ", "feature"),
    [
        ({}, {}, None),
        ({"app_insights_enabled": True}, {}, "Application Insights"),
        ({"cors_origins": "*"}, {}, "CORS"),
        ({}, {"SCORING_TIMEOUT_MS": "100"}, "SCORING_TIMEOUT_MS"),
    ],
)
def test_what_works_only_in_flask_is_known(
    server: dict[str, Any], environ: dict[str, str], feature: str | None
):
    """Our worker leaves every request to Flask then."""
    off = {"app_insights_enabled": False, "cors_origins": None}
    assert flask_routes.flask_feature(SimpleNamespace(**off | server), environ) == feature


def test_without_the_server_there_is_nothing_to_mount(monkeypatch: pytest.MonkeyPatch):
    """A notebook or a batch job has no server."""
    monkeypatch.delitem(sys.modules, flask_routes.SERVER_ROUTES, raising=False)
    assert not flask_routes.mount(SimpleNamespace(), SimpleNamespace(), SimpleNamespace(), None)
