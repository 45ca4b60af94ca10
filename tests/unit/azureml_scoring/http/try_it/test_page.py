"""The answer of /docs."""

import json
import re
from types import SimpleNamespace

import support
from azureml_scoring.http.try_it.page import TryItPage
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature


def test_no_text_of_a_model_ends_the_block_of_its_facts():
    """A name and a value that hold markup come back as they were."""
    hostile = "</script><!--<script>"
    contract = Contract((Feature(hostile, "str"),), ("predict",))
    model = support.model(contract, golden_rows=1, example=[[hostile]])
    page = TryItPage(SimpleNamespace(loaded=model))
    html = page().body.decode()
    (block,) = re.findall(r'id="facts">(.*?)</script>', html, re.DOTALL)
    facts = json.loads(block)
    assert facts["features"][0]["key"] == hostile
    assert json.loads(facts["rows"][0][0]) == hostile
    assert "<" not in block


def test_while_the_model_loads_the_browser_asks_again():
    """503, and the browser comes back by itself."""
    answer = TryItPage(SimpleNamespace(loaded=None))()
    assert (answer.status, answer.headers["Refresh"]) == (503, "2")


def test_rows_of_a_model_that_is_not_packaged_are_not_shown():
    """They may be its author's input example, perhaps a person's data."""
    contract = Contract((Feature("name", "str"),), ("predict",))
    for golden_rows, shown in ((0, False), (1, True)):
        model = support.model(contract, golden_rows=golden_rows, example=[["Ada"]])
        assert (b"Ada" in TryItPage(SimpleNamespace(loaded=model))().body) is shown
