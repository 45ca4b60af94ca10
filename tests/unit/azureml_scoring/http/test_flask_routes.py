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
    flask_routes.mount(SimpleNamespace(restate=None), {"/health": pytest.fail})
    (line,) = map(json.loads, stream.getvalue().splitlines())
    assert line["level"] == "warning"
    assert "probe / instead" in line["message"]


def test_a_flask_that_is_not_as_we_know_it_keeps_its_own_way(monkeypatch: pytest.MonkeyPatch):
    """The lean lane is not mounted, a line says so, and the start goes on."""
    log.set_up()
    stream = io.StringIO()
    log.logger.handlers[0].stream = stream
    recorded: list[Any] = []
    blueprint = SimpleNamespace(
        add_url_rule=lambda *_, **__: None,
        after_app_request=lambda _: None,
        record_once=recorded.append,
    )
    config = SimpleNamespace(app_insights_enabled=False, cors_origins=None)
    server = SimpleNamespace(main_blueprint=blueprint, config=config, handle_score=None)
    monkeypatch.setitem(sys.modules, flask_routes.SERVER_ROUTES, server)
    flask_routes.mount(
        SimpleNamespace(restate=None, service=None, reader=None), {"/health": pytest.fail}
    )
    (mount_lane,) = recorded
    mount_lane(SimpleNamespace(app=object()))
    (line,) = map(json.loads, stream.getvalue().splitlines())
    assert "lean lane" in line["message"]


def test_without_the_server_there_is_nothing_to_mount(monkeypatch: pytest.MonkeyPatch):
    """In a notebook or a batch job."""
    monkeypatch.delitem(sys.modules, flask_routes.SERVER_ROUTES, raising=False)
    flask_routes.mount(SimpleNamespace(), SimpleNamespace())
