"""Answers with an HTML page that holds its own script and style.

Its content security policy lets the browser run only the code in the page, and connect only to this
server.
"""

from __future__ import annotations

import base64
import hashlib
import re

from azureml_scoring.request import Answer


def headers(html: str) -> dict[str, str]:
    """Return the headers of a page with one ``<script>`` and one ``<style>``, both without
    attributes."""
    policy = (
        f"default-src 'none'; connect-src 'self'; img-src data:; "
        f"script-src {_hash('script', html)}; style-src {_hash('style', html)}; "
        f"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


def answer(html: str) -> Answer:
    """Return the page with its headers."""
    return Answer(200, html.encode(), headers(html), "text/html; charset=utf-8")


def _hash(tag: str, html: str) -> str:
    (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"
