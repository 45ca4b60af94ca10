"""Azure ML's own collector in a real server; a server of ours receives what it sends."""

import json
from pathlib import Path

import pytest

import support
from blackbox.listening import listening
from blackbox.server import ONE_WORKER, serving, until

pytestmark = pytest.mark.any_worker


def test_what_is_asked_and_answered_is_collected(demo_model: Path, tmp_path: Path):
    """Inputs and outputs are collected with the id of their request."""
    with listening() as (port, got):
        on = {"AZUREML_MDC_ENABLED": "true", "AZUREML_MDC_PORT": str(port)}
        with serving(demo_model, tmp_path, **ONE_WORKER | on) as server:
            assert (
                server.score({"data": [support.ROW]}, headers={"x-request-id": "mdc-1"}).status_code
                == 200
            )
            server.score({"data": [["text"]]})
            until(lambda: len(got) == 2, "inputs and outputs are there")
    tables = {sent.headers["ce-type"].rpartition(".")[2]: json.loads(sent.body) for sent in got}
    assert [list(table[0].values()) for table in tables.values()] == [support.ROW, [1]]
    assert "mdc-1" in str([sent.headers for sent in got])


def test_nobody_who_listens_is_no_matter(demo_model: Path, tmp_path: Path):
    """Requests are answered as usual if no collector runs."""
    on = {"AZUREML_MDC_ENABLED": "true", "AZUREML_MDC_PORT": str(support.free_port())}
    with serving(demo_model, tmp_path, **ONE_WORKER | on) as server:
        statuses = {server.score({"data": [support.ROW]}).status_code for _ in range(20)}
    assert statuses == {200}


def test_a_configuration_that_can_not_be_read_is_no_matter(demo_model: Path, tmp_path: Path):
    """The server starts, and its log says that the configuration can't be read."""
    with serving(
        demo_model, tmp_path, **ONE_WORKER | {"AZUREML_MDC_CONFIG_PATH": "/no/such.json"}
    ) as server:
        assert server.score({"data": [support.ROW]}).status_code == 200
        until(lambda: "Data can't be collected" in server.log, "it is told")
