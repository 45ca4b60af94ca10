"""schemathesis, which makes requests of an OpenAPI document, against a running server of ours."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from blackbox.server import Server
from interop.conftest import python

pytestmark = pytest.mark.any_worker

CONFIGURATION = """
[checks.negative_data_rejection]
expected-statuses = ["400", "404", "405", "406", "413", "415", "422", "431"]
"""

NOT_OF_USE = "positive_data_acceptance,allow_header_conformance"
"""OpenAPI can't say that columns have one length, or what is in a CSV; nor that GET of the path
``/v1/models/m:predict`` asks for a model called ``m:predict``."""


def test_schemathesis_finds_nothing(ours: Server, tmp_path: Path):
    """What the document calls invalid is refused, and every answer is one that it names."""
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    command = [
        *(python("schemathesis").with_name("schemathesis"), "run"),
        f"{ours.url}/swagger.json?version=3",
        *("--checks", "all", "--exclude-checks", NOT_OF_USE),
        *("--max-examples", "10", "--seed", "1", "--no-color"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr
