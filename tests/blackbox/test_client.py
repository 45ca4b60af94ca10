"""The Python client against a real server: the examples of docs/client.md."""

from __future__ import annotations

import re
from typing import Any

import pytest

import support
from azureml_scoring.client import Client
from blackbox.server import REPOSITORY, Server

pytestmark = pytest.mark.any_worker

EXAMPLES = re.findall(
    r"```python\n(.*?)```", (REPOSITORY / "docs" / "client.md").read_text(), re.DOTALL
)


def test_the_pages_examples_run(bare_demo: Server, capsys: pytest.CaptureFixture[str]):
    """They run one after the other, and print what their comments say."""
    frame, _ = support.diabetes()
    names: dict[str, Any] = {"frame": frame, "rows": frame.to_numpy().tolist()}
    assert len(EXAMPLES) == 3
    for example in EXAMPLES:
        exec(example.replace("http://localhost:5001", bare_demo.url), names)
    estimator = support.demo_estimator()
    assert names["predictions"].tolist() == estimator.predict(frame).tolist()
    assert names["predictions"].index.equals(frame.index)
    assert names["probabilities"].to_numpy() == pytest.approx(estimator.predict_proba(frame))
    said = re.findall(r"print\(.*?\)  # (.*)", EXAMPLES[-1])
    assert capsys.readouterr().out.splitlines() == said


def test_a_request_over_the_servers_own_limit_is_split(bare_demo: Server):
    """The server refuses more than 100 rows; the client finds out and halves."""
    frame, _ = support.diabetes()
    with Client(bare_demo.url, rows_per_request=442) as client:
        assert len(client.score(frame)) == 442
