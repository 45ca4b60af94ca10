"""The page at /dashboard, in a real browser."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect
from scripted import FAIL

import support
from blackbox.browser import browsing, chromium
from blackbox.server import ONE_WORKER, Server, serving, until
from blackbox.test_metrics import scraped

pytestmark = pytest.mark.any_worker

DASHBOARD = ONE_WORKER | {
    "SCORING_DASHBOARD": "true",
    "SCORING_CACHE_MUST_PAY": "false",
}
NONE = "\N{EN DASH}"
START = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = 2
"""Between the page's looks; its clock is the test's."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def opened(page: Page, server: Server) -> None:
    page.clock.install(time=START)
    page.clock.pause_at(START + timedelta(seconds=1))
    page.goto(f"{server.url}/dashboard")
    expect(page.locator("#outcomes")).to_contain_text("ok")


def percentile(
    q: float, before: Mapping[tuple[str, ...], float], after: Mapping[tuple[str, ...], float]
) -> float:
    """Return a percentile of /metrics' buckets in milliseconds, as Prometheus'
    ``histogram_quantile`` computes it."""
    name = "scoring_duration_seconds_bucket"
    keys = [key for key in after if key[0] == name and key[2] == "request"]
    bounds = [0.0, *(float(key[1]) for key in keys)]
    counts = [0.0, *(after[key] - before[key] for key in keys)]
    place = int(np.searchsorted(counts, q * counts[-1]))
    return 1000 * float(
        np.interp(q * counts[-1], counts[place - 1 : place + 1], bounds[place - 1 : place + 1])
    )


def test_the_dashboard_shows_what_was_sent(scripted_model: Path, tmp_path: Path, browser: Browser):
    """Counts, rate, failures and percentiles are right; only this server is called; names are text,
    not markup."""
    name = '<img src="x" onerror="alert(1)">\\ "'
    with (
        serving(scripted_model, tmp_path, **DASHBOARD, DEPLOYMENT_NAME=name) as server,
        browsing(browser, server.url) as (page, complaints),
    ):
        opened(page, server)
        expect(page.locator("#tile-rate")).to_have_text(NONE)
        before = scraped(server)
        for order, times in ((0, 30), ("x", 8), (FAIL, 2)):
            for _ in range(times):
                server.score([[order]])
        until(
            lambda: (
                sum(v for k, v in scraped(server).items() if k[0] == "scoring_requests_total") == 40
            ),
            "counted",
        )
        after = scraped(server)
        page.clock.run_for(1000 * SECONDS)
        rows = {"ok": 30, "wrong_type": 8, "model_failed": 2}
        expect(page.locator("#outcomes tbody tr")).to_have_text(
            [f"{code}{n / SECONDS:.1f}{n}" for code, n in rows.items()]
        )
        shown = {"rate": f"{40 / SECONDS:.1f}", "failures": "5.00", "hits": NONE, "inFlight": "0"}
        for tile, text in shown.items():
            expect(page.locator(f"#tile-{tile}")).to_have_text(text)
        for q in (50, 95, 99):
            value = float(page.locator(f"#tile-p{q}").inner_text())
            assert value == pytest.approx(percentile(q / 100, before, after), abs=0.006)
        assert page.locator("#rate path").count() == 3
        expect(page.locator("#about")).to_contain_text(
            f"deployment {name} · sklearn · 1 worker · up 0 min"
        )
        assert not complaints, complaints


def test_the_dashboard_shows_model_and_cache(demo_model: Path, tmp_path: Path, browser: Browser):
    """The page shows the model's name and version; of twenty equal requests all but the first are
    hits."""
    with (
        serving(demo_model, tmp_path, **DASHBOARD) as server,
        browsing(browser, server.url) as (page, complaints),
    ):
        opened(page, server)
        expect(page.locator("#model")).to_have_text("diabetes-classifier v1.2.3")
        for _ in range(20):
            server.score([support.ROW])
        until(lambda: scraped(server)["scoring_cache_hits_total",] == 19, "counted")
        page.clock.run_for(1000 * SECONDS)
        expect(page.locator("#tile-hits")).to_have_text("95.0")
        assert not complaints, complaints


def test_the_dashboard_shows_load_and_refusals(demo_model: Path, tmp_path: Path, browser: Browser):
    """It shows the load that was offered, refused requests included, and refusals by reason."""
    with (
        serving(demo_model, tmp_path, **DASHBOARD, SCORING_SLOTS="2") as server,
        browsing(browser, server.url) as (page, complaints),
    ):
        opened(page, server)
        offered_s = scraped(server)["scoring_offered_work_seconds_total",] + 3 * 2 * SECONDS
        metrics = re.sub(
            r"(?m)^(scoring_offered_work_seconds_total) .*",
            rf"\1 {offered_s}",
            server.get("/metrics").text.replace('{reason="queue"} 0.0', '{reason="queue"} 50.0'),
        )
        page.route("**/metrics", lambda route: route.fulfill(body=metrics))
        page.clock.run_for(1000 * SECONDS)
        expect(page.locator("#tile-load")).to_have_text("300")
        heights = {
            circle.get_attribute("class"): float(circle.get_attribute("cy") or 0)
            for circle in page.locator("#refusals circle").all()
        }
        queue = heights.pop("red")
        assert len(heights) == 4
        assert all(queue < other for other in heights.values())  # y grows downwards
        assert not complaints, complaints


def test_a_server_that_is_gone_is_told(scripted_model: Path, tmp_path: Path, browser: Browser):
    """One sentence says since when the server is gone, and disappears when it answers again,
    perhaps restarted."""
    with (
        serving(scripted_model, tmp_path, **DASHBOARD) as server,
        browsing(browser, server.url) as (page, _),
    ):
        opened(page, server)
        trouble = page.locator("#trouble")
        expect(trouble).to_be_hidden()
        page.route("**/metrics", lambda route: route.fulfill(status=503))
        page.clock.run_for(1000 * SECONDS)
        expect(trouble).to_contain_text("/metrics answered 503")
        page.unroute("**/metrics")
        page.clock.run_for(1000 * SECONDS)
        expect(trouble).to_be_hidden()
        expect(page.locator("#tile-rate")).to_have_text("0.0")
        anew = re.sub(
            r"(?m)^(scoring_start_time_seconds) .*", r"\1 1.0", server.get("/metrics").text
        )
        page.route("**/metrics", lambda route: route.fulfill(body=anew))
        page.clock.run_for(1000 * SECONDS)
        expect(page.locator("#tile-rate")).to_have_text(NONE)
        page.unroute("**/metrics")
        server.stop()
        page.clock.run_for(1000 * SECONDS)
        expect(trouble).to_contain_text("The server has not answered since")


def test_the_dashboard_is_for_those_who_ask_for_it(scripted_model: Path, tmp_path: Path):
    """The dashboard is off by default."""
    with serving(scripted_model, tmp_path, **ONE_WORKER) as server:
        assert server.get("/dashboard").status_code == 404


def test_the_browser_is_held_to_the_page(scripted_model: Path, tmp_path: Path):
    """Flask's answer too allows only the page's script, and only this server."""
    by_flask = DASHBOARD | {"AML_CORS_ORIGINS": "https://a.example"}
    with serving(scripted_model, tmp_path, **by_flask) as server:
        response = server.get("/dashboard")
        policy = response.headers["Content-Security-Policy"]
        assert response.status_code == 200
        assert policy.startswith("default-src 'none'; connect-src 'self';")
        assert "unsafe" not in policy
        assert response.headers["content-type"] == "text/html; charset=utf-8"
