"""The page at /docs, in a real browser."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

import mixed_models
import support
from blackbox.browser import PHONE, browsing, chromium, code, sent
from blackbox.server import ONE_WORKER, Server, serving

pytestmark = pytest.mark.any_worker

DOCS = ONE_WORKER | {"SCORING_DOCS_PAGE": "true"}
HOSTILE = (
    "<img src=x onerror=\"console.error('ran')\"></script><script>console.error('ran')</script>"
)
"""The name of a column, and a category."""
REFUSED = "the server responded with a status of 422"
"""Chromium's own line of the console for an answer that is an error."""
FORMS = ("Rows", "Records", "Split", "Columns", "CSV")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def demo_docs(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(demo_model, tmp_path_factory.mktemp("docs"), **DOCS) as server:
        yield server


@pytest.fixture(scope="module")
def mixed_docs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of a model of numbers with gaps, texts and a boolean; a name and a category are
    hostile. Flask answers, not our worker."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    folder = tmp_path_factory.mktemp("mixed")
    frame, target = mixed_models.passengers(100)
    frame = frame[["city", "siblings", "member"]].rename(columns={"city": HOSTILE})
    frame[HOSTILE] = frame[HOSTILE].replace("Rome", HOSTILE).replace("Oslo", 'it\'s "O\\slo", é')
    encode = make_column_transformer((OneHotEncoder(), [HOSTILE]), remainder="passthrough")
    estimator = make_pipeline(encode, LogisticRegression()).fit(frame, target)
    model_dir = support.packaged(estimator, frame, folder)
    with serving(model_dir, folder, **DOCS, AML_CORS_ORIGINS="https://a.example") as server:
        yield server


def opened(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/docs")
    expect(page.locator("#place")).to_contain_text("Row 1 of")


def test_a_sample_row_is_filled_in_and_scored(demo_docs: Server, browser: Browser):
    """The form holds a sample row; Send shows predictions, both latencies, cache and id; nothing
    leaves the server, and the console is clean."""
    with browsing(browser, demo_docs.url) as (page, complaints):
        opened(page, demo_docs)
        expect(page.locator("#model")).to_have_text("diabetes-classifier v1.2.3")
        first = page.get_by_label("age", exact=True).input_value()
        body = json.loads(sent(page))
        assert body["data"][0][0] == float(first)
        expected = demo_docs.score(body).json()["predictions"]
        assert json.loads(page.locator("#predictions").inner_text()) == expected
        expect(page.locator("#outcome")).to_contain_text(
            re.compile(r"ms here · [\d.]+ ms in the server · cache \w+ · request \d+-\d+")
        )
        page.get_by_role("button", name="Next sample row").click()
        expect(page.locator("#place")).to_contain_text("Row 2 of")
        assert json.loads(sent(page)) != body
        assert not complaints, complaints


@pytest.mark.parametrize("form", FORMS)
def test_each_form_asks_for_the_same(mixed_docs: Server, browser: Browser, form: str):
    """The body that a tab shows is the one that is sent, and it gives the same prediction; an error
    is shown at the field it names, which gets the focus, and disappears once it is mended."""
    with browsing(browser, mixed_docs.url) as (page, complaints):
        opened(page, mixed_docs)
        predictions = page.locator("#predictions")
        page.get_by_label("method").select_option(label="predict_proba")
        sent(page)
        expected = json.loads(predictions.inner_text())
        page.get_by_role("tab", name=form, exact=True).click()
        if form == "CSV":
            expect(page.locator("#note")).to_be_visible()
            expected = [int(expected[0][1] > 0.5)]
        assert page.locator("#forms-panel").text_content() == sent(page)
        assert json.loads(predictions.inner_text()) == expected
        siblings = page.get_by_label("siblings", exact=True)
        before = siblings.input_value()
        siblings.fill("many")
        sent(page, 422)
        expect(siblings).to_be_focused()
        expect(siblings).to_have_attribute("aria-invalid", "true")
        expect(siblings).to_have_accessible_description(re.compile("siblings must be"))
        siblings.fill(before)
        sent(page)
        expect(siblings).not_to_have_attribute("aria-invalid", "true")
        assert all(REFUSED in error for error in complaints.errors), complaints
        assert len(complaints.errors) == 1
        assert not complaints.strays


def test_an_error_of_no_field_stands_above_the_form(demo_docs: Server, browser: Browser):
    """It gets the focus, so that it is read aloud; a server that is gone is told too."""
    with browsing(browser, demo_docs.url) as (page, _):
        opened(page, demo_docs)
        for name in support.NAMES:
            page.get_by_label(name, exact=True).fill("1e308")
        sent(page, 422)
        expect(page.locator("#trouble")).to_be_focused()
        page.route("**/score", lambda route: route.abort())
        page.get_by_role("button", name="Send").click()
        expect(page.locator("#trouble")).to_contain_text("can't be reached")
        page.route("**/score", lambda route: route.fulfill(json=None, status=502))
        page.get_by_role("button", name="Send").click()
        expect(page.locator("#trouble")).to_contain_text("The server answered 502.")


def test_names_and_categories_are_text(mixed_docs: Server, browser: Browser):
    """Markup in a model's column or category is shown as it is, and sent as it is."""
    with browsing(browser, mixed_docs.url) as (page, complaints):
        opened(page, mixed_docs)
        city = page.get_by_label(HOSTILE, exact=True)
        city.select_option(label=HOSTILE)
        page.get_by_role("tab", name="Records").click()
        assert json.loads(sent(page))["data"][0][HOSTILE] == HOSTILE
        assert page.locator("img").count() == 0
        assert not complaints, complaints


@pytest.mark.parametrize("form", ["Records", "CSV"])
def test_the_code_runs_as_shown(mixed_docs: Server, browser: Browser, form: str):
    """curl and Python, pasted, give the page's prediction, whatever quotes the values hold; C# and
    JavaScript name the page's own address."""
    with browsing(browser, mixed_docs.url) as (page, complaints):
        opened(page, mixed_docs)
        page.get_by_label(HOSTILE, exact=True).select_option(label='it\'s "O\\slo", é')
        page.get_by_role("tab", name=form, exact=True).click()
        sent(page)
        expected = json.loads(page.locator("#predictions").inner_text())
        words = shlex.split(code(page, "curl").replace("\\\n", " "))
        curl = subprocess.run([*words, "-s"], capture_output=True, text=True, check=True)
        assert json.loads(curl.stdout)["predictions"] == expected
        python = subprocess.run(
            [sys.executable, "-c", code(page, "Python")], capture_output=True, text=True, check=True
        )
        assert json.loads(python.stdout) == expected
        for language in ("C#", "JavaScript"):
            assert f"{mixed_docs.url}/score" in code(page, language)
            assert "YOUR_KEY" in code(page, language)
        assert not complaints, complaints


def test_the_keyboard_is_enough(demo_docs: Server, browser: Browser):
    """Tab goes through the form, Ctrl+Enter sends, arrows choose a tab, and the focus is seen."""
    with browsing(browser, demo_docs.url) as (page, complaints):
        opened(page, demo_docs)
        for _ in range(3):
            page.keyboard.press("Tab")
        age = page.get_by_label("age", exact=True)
        expect(age).to_be_focused()
        assert age.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
        page.keyboard.type("59.0")
        page.keyboard.press("Control+Enter")
        expect(page.locator("#outcome")).to_contain_text("200 ")
        page.get_by_role("tab", name="Rows").focus()
        for key, chosen in (("ArrowRight", "Records"), ("End", "CSV"), ("ArrowRight", "Rows")):
            page.keyboard.press(key)
            tab = page.get_by_role("tab", name=chosen, exact=True)
            expect(tab).to_be_focused()
            expect(tab).to_have_attribute("aria-selected", "true")
        page.keyboard.press("ArrowLeft")
        assert (page.locator("#forms-panel").text_content() or "").startswith("age,sex,")
        page.keyboard.press("Tab")
        expect(page.locator("#forms-panel")).to_be_focused()
        assert not complaints, complaints


def test_it_fits_a_phone_in_the_dark(mixed_docs: Server, browser: Browser):
    """No scrolling sideways at 360 pixels, and dark where the system is."""
    options = {"viewport": PHONE, "color_scheme": "dark"}
    with browsing(browser, mixed_docs.url, **options) as (page, complaints):
        opened(page, mixed_docs)
        sent(page)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(18, 22, 28)"
        assert not complaints, complaints


def test_the_page_is_for_those_who_ask_for_it(demo: Server):
    """It is off by default, and answered as any path that does not exist."""
    docs, unknown = demo.get("/docs"), demo.get("/nowhere")
    assert docs.status_code == unknown.status_code == 404
    assert docs.headers["content-type"] == unknown.headers["content-type"]


def test_flask_answers_the_same_page(demo_docs: Server, mixed_docs: Server):
    """Under Flask too the browser may run only the page's script, and call only this server."""
    ours, by_flask = demo_docs.get("/docs"), mixed_docs.get("/docs")
    same = [
        re.sub('id="facts">.*?</script>', "", page.text, flags=re.DOTALL)
        for page in (ours, by_flask)
    ]
    assert same[0] == same[1]
    for response in (by_flask, ours):
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; connect-src 'self';")
        assert "unsafe" not in policy
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert not re.search(r"""(src|href)=["']?(https?:)?//""", response.text)
