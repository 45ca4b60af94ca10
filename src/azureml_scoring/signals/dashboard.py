"""``/dashboard``: a page that draws ``/metrics`` while it is open. Off by default
(SCORING_DASHBOARD)."""

from __future__ import annotations

from pathlib import Path

from azureml_scoring.request import Answer
from azureml_scoring.shared.measures import CLIENT_ERROR_CODES
from azureml_scoring.signals import inline_page

PAGE = Path(__file__).with_name("dashboard.html")


def page() -> Answer:
    codes = " ".join(CLIENT_ERROR_CODES)
    return inline_page.answer(
        PAGE.read_text(encoding="utf-8").replace("@CLIENT_ERROR_CODES@", codes)
    )
