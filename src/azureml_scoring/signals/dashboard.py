"""``/dashboard``: a page that draws ``/metrics`` while it is open. Off by default
(SCORING_DASHBOARD).

Its content security policy lets the browser run only the code in the page, and connect only to this
server.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from azureml_scoring.request import Answer
from azureml_scoring.shared.measures import CLIENT_ERROR_CODES

PAGE = Path(__file__).with_name("dashboard.html")


def page() -> Answer:
    codes = " ".join(CLIENT_ERROR_CODES)
    body = PAGE.read_text(encoding="utf-8").replace("@CLIENT_ERROR_CODES@", codes)
    policy = (
        f"default-src 'none'; connect-src 'self'; img-src data:; "
        f"script-src {_hash('script', body)}; style-src {_hash('style', body)}; "
        f"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return Answer(200, body.encode(), headers, "text/html; charset=utf-8")


def _hash(tag: str, body: str) -> str:
    (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", body, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"
