"""A real browser, Chromium or Chrome, and the errors that it reports."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from blackbox.server import needs

NAMES = ("chromium", "google-chrome")
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1240, "height": 680}


class Complaints:
    """``errors``: of the console and of scripts; ``strays``: requests to any server but
    ``origin``."""

    def __init__(self, page: Page, origin: str) -> None:
        self.errors: list[str] = []
        self.strays: list[str] = []
        page.on(
            "console",
            lambda said: (
                self.errors.append(said.text) if said.type in ("error", "warning") else None
            ),
        )
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "request",
            lambda asked: None if self._own(asked.url, origin) else self.strays.append(asked.url),
        )

    @staticmethod
    def _own(url: str, origin: str) -> bool:
        return url.startswith((f"{origin}/", "data:"))

    def __bool__(self) -> bool:
        return bool(self.errors or self.strays)

    def __repr__(self) -> str:
        return f"errors {self.errors}, requests elsewhere {self.strays}"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser. Nothing else in this thread may run an event loop meanwhile."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        needs(NAMES[0])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def browsing(browser: Browser, origin: str, **options: Any) -> Iterator[tuple[Page, Complaints]]:
    """Yield a page that should call only ``origin``, such as ``http://127.0.0.1:5001``, and knows
    nothing of earlier ones; ``options`` as of playwright's contexts."""
    with browser.new_context(**({"viewport": DESKTOP} | options)) as context:
        page = context.new_page()
        yield page, Complaints(page, origin)


def sent(page: Page, status: int = 200) -> str:
    """Press Send on the page at /docs; return the request's body."""
    with page.expect_response("**/score") as waiting:
        page.get_by_role("button", name="Send").click()
    expect(page.locator("#outcome")).to_contain_text(f"{status} ")
    assert waiting.value.status == status, waiting.value.text()
    return waiting.value.request.post_data or ""


def code(page: Page, language: str) -> str:
    """Return the code that the page at /docs shows."""
    page.get_by_role("tab", name=language, exact=True).click()
    return page.locator("#code-panel").inner_text()
