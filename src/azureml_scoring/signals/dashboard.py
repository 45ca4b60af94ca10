"""``/dashboard``: a page that draws ``/metrics`` while one looks at it. Off by default
(SCORING_DASHBOARD).

The browser is told to run nothing but what is in it, and to ask nobody but this server.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from azureml_scoring.request import Answer
from azureml_scoring.shared.measures import REFUSALS

PAGE = Path(__file__).with_name("dashboard.html")


def page() -> Answer:
    body = PAGE.read_text(encoding="utf-8").replace("@REFUSALS@", " ".join(REFUSALS))
    policy = (
        f"default-src 'none'; connect-src 'self'; img-src data:; script-src "
        f"{_hash('script', body)}; "
        f"style-src {_hash('style', body)}; base-uri 'none'; form-action 'none'; frame-ancestors "
        f"'none'"
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
