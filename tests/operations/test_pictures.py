"""The pages under load in a browser; `make pictures` keeps the pictures for the docs."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import expect

from blackbox.browser import DESKTOP, PHONE, browsing, chromium
from blackbox.server import ONE_WORKER, serving, until
from blackbox.test_metrics import scraped
from operations.test_load_command import ended, load


@dataclass(frozen=True)
class Show:
    """Options of the pictures. ``folder`` keeps them; ``pause_ms``: until the dashboard has
    something to show."""

    folder: Path
    load: tuple[str, ...]
    pause_ms: int


@pytest.fixture
def show(request: pytest.FixtureRequest, tmp_path: Path) -> Show:
    kept: Path | None = request.config.getoption("--pictures")
    if kept:
        return Show(kept, ("--stages", "20s@40,20s@160,20s@80"), 45_000)
    return Show(tmp_path, ("--stages", "2s@40,2s@80", "--p95-ms", "1e6", "--p99-ms", "1e6"), 0)


def test_the_pages_show_a_load(demo_model: Path, tmp_path: Path, show: Show):
    """The dashboard and the report draw lines, on a desktop and on a phone in the dark; no page is
    too wide."""
    with (
        chromium() as browser,
        serving(demo_model, tmp_path, **ONE_WORKER, SCORING_DASHBOARD="true") as server,
    ):
        process = load(server.url, demo_model, tmp_path, *show.load)
        with browsing(browser, server.url) as (page, complaints):
            page.goto(f"{server.url}/dashboard")
            until(lambda: scraped(server)["scoring_requests_total", "ok"] > 50, "it is under way")
            page.wait_for_timeout(show.pause_ms)
            for plot, lines in (("latency", 3), ("rate", 3), ("cache", 1), ("inFlight", 1)):
                expect(page.locator(f"#{plot} path")).to_have_count(lines)
                for line in page.locator(f"#{plot} path").all():
                    expect(line).to_have_attribute("d", re.compile(r"M[\d.]+ [\d.]+"))
            page.screenshot(path=show.folder / "dashboard.png", full_page=True)
            page.set_viewport_size(PHONE)
            page.emulate_media(color_scheme="dark")
            assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
            assert (
                page.evaluate("getComputedStyle(document.body).backgroundColor")
                == "rgb(18, 22, 28)"
            )
            page.screenshot(path=show.folder / "dashboard-phone.png")
            assert not complaints, complaints
        output = ended(process)
        assert process.returncode == 0, output
        with browsing(browser, f"file://{tmp_path}") as (page, complaints):
            page.goto(f"file://{tmp_path}/report.html")
            assert page.evaluate("document.documentElement.scrollWidth") == DESKTOP["width"]
            page.screenshot(path=show.folder / "load.png", full_page=True)
            assert not complaints, complaints


def test_the_try_it_page_shows_an_answer(demo_model: Path, tmp_path: Path, show: Show):
    """The form holds a sample row, and the answer stands below it."""
    with (
        chromium() as browser,
        serving(demo_model, tmp_path, **ONE_WORKER, SCORING_DOCS_PAGE="true") as server,
        browsing(browser, server.url, viewport={"width": 1000, "height": 680}) as (page, _),
    ):
        page.goto(f"{server.url}/docs")
        page.get_by_role("button", name="Send").click()
        expect(page.locator("#outcome")).to_contain_text("200 OK")
        page.screenshot(path=show.folder / "try-it.png", full_page=True)
