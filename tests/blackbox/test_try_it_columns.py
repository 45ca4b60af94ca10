"""The page at /docs of models with columns of all kinds, in a real browser, without a server."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

import support
from azureml_scoring.http.try_it.page import TryItPage
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.parameter import Parameter
from azureml_scoring.models.model import Model
from blackbox.browser import browsing, chromium, code, sent

pytestmark = pytest.mark.any_worker


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def drawn(page: Page, model: Model, score: dict[str, Any], status: int = 200) -> None:
    """Open the page of a model that no server has loaded; /score answers ``score``."""
    answer = TryItPage(SimpleNamespace(loaded=model))()
    headers = {**answer.headers, "content-type": answer.content_type}
    page.route("**/docs", lambda route: route.fulfill(body=answer.body, headers=headers))
    page.route("**/score", lambda route: route.fulfill(json=score, status=status))
    page.goto("http://model.test/docs")


def test_wide_models_have_a_filter(browser: Browser):
    """Of hundreds of columns the filter leaves those that are called so; all are sent."""
    contract = Contract(tuple(Feature(f"column {k}") for k in range(500)), ("predict",))
    model = support.model(contract, golden_rows=1, example=[[0.5] * 500])
    with browsing(browser, "http://model.test") as (page, complaints):
        drawn(page, model, {"predictions": [1]})
        page.get_by_label("Filter columns").fill("COLUMN 77")
        assert page.locator(".field label:visible").all_inner_texts()[0] == "column 77"
        expect(page.locator("#fields .field:visible")).to_have_count(1)
        assert json.loads(sent(page)) == {"data": model.example}
        assert not complaints, complaints


def test_curl_takes_no_body_for_a_files_name(browser: Browser):
    """A CSV whose first column's name starts with @ is sent, not a file of that name."""
    model = support.model(
        Contract((Feature("@rows"),), ("predict",)), golden_rows=1, example=[[1.0]]
    )
    with browsing(browser, "http://model.test") as (page, _):
        drawn(page, model, {"predictions": [1]})
        page.get_by_role("tab", name="CSV", exact=True).click()
        words = shlex.split(code(page, "curl").replace("\\\n", " "))
        assert words[-2:] == ["--data-raw", "@rows\n1.0\n"]


def test_every_kind_of_column_keeps_its_value(browser: Browser):
    """Whole numbers beyond 2**53, dates, texts of digits, the empty text, nulls and any JSON are
    sent as the sample has them; what is changed is sent as its column's type."""
    contract = Contract(
        (
            Feature("count", "int64"),
            Feature("day", "datetime"),
            Feature("time", "datetime", missing=True),
            Feature("code", "str", missing=True),
            Feature("note", "str"),
            Feature("agreed", "bool", missing=True),
            Feature("size", "category", missing=True, categories=("S", "M")),
            Feature("grade", "category", categories=(1, 2), unseen=True),
            Feature("free", "any"),
        ),
        ("predict",),
    )
    row = [2**53 + 1, "2024-02-29", "2024-02-29T12:30:15", None, "", None, "M", 2, "7"]
    model = support.model(contract, golden_rows=1, example=[row])
    with browsing(browser, "http://model.test") as (page, complaints):
        drawn(page, model, {"predictions": [1]})
        assert json.loads(sent(page)) == {"data": [row]}
        changes = {"count": "-5", "day": "2025-01-01", "note": "x", "grade": "3", "free": "[]"}
        for name, value in changes.items():
            page.get_by_label(name, exact=True).fill(value)
        page.get_by_label("code is missing").uncheck()
        page.get_by_label("code", exact=True).fill("01067")
        page.get_by_label("agreed", exact=True).select_option("false")
        page.get_by_label("size", exact=True).select_option(label="(missing)")
        changed = [-5, "2025-01-01", row[2], "01067", "x", False, None, 3, []]
        assert json.loads(sent(page)) == {"data": [changed]}
        assert not complaints, complaints


def test_parameters_are_sent_where_they_are_changed(browser: Browser):
    """A default is left out, a change is sent, and an error shows at the parameter it names."""
    parameters = (
        Parameter("top", "int64", 3),
        Parameter("a/b~", "float64", [0.5], several=True),
        Parameter("who", "str"),
    )
    contract = replace(support.NUMBERS, parameters=parameters)
    model = support.model(contract, golden_rows=1, example=[[1.0, 2.0]])
    error = {"error": "The parameter a/b~ is wrong.", "location": "/params/a~1b~0"}
    with browsing(browser, "http://model.test") as (page, _):
        drawn(page, model, error, 422)
        assert json.loads(sent(page, 422)) == {"data": [[1.0, 2.0]]}
        wrong = page.get_by_label("params.a/b~", exact=True)
        expect(wrong).to_be_focused()
        expect(wrong).to_have_accessible_description(re.compile("is wrong"))
        wrong.fill("[1, 2]")
        page.get_by_label("params.who is missing").uncheck()
        page.get_by_label("params.who", exact=True).fill("me")
        assert json.loads(sent(page, 422))["params"] == {"a/b~": [1, 2], "who": "me"}
