"""``infrastructure/`` by checkov, with production's settings."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.checkout import REPOSITORY
from terraform.module import INFRASTRUCTURE

CHECKOV = REPOSITORY / "build" / "checkov" / "bin" / "checkov"
PRODUCTION = INFRASTRUCTURE / "terraform.tfvars.prod"
CHECKS = 60


def checked(variables: Path) -> dict[str, Any]:
    if not CHECKOV.exists():
        pytest.fail(
            "checkov is missing: `make deployfiles` installs it first, in an environment of its "
            "own."
        )
    words = [
        "--directory",
        INFRASTRUCTURE,
        "--var-file",
        variables,
        "--framework",
        "terraform",
        "--output",
        "json",
    ]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [CHECKOV, *map(str, words), "--skip-download"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize("tier", ["managed", "classic"])
def test_production_is_clean(tmp_path: Path, tier: str):
    """checkov reads every file, and no check fails."""
    variables = tmp_path / "variables.tfvars"
    variables.write_text(f'{PRODUCTION.read_text()}\nredis_tier = "{tier}"\n')
    report = checked(variables)
    failed = [f"{one['check_id']} {one['resource']}" for one in report["results"]["failed_checks"]]
    assert failed == []
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] >= CHECKS


def test_what_is_skipped_has_a_reason():
    """The reason is one sentence in the resource itself."""
    skips = re.findall(
        r"#checkov:skip=([^:\n]*)(.*)",
        "".join(path.read_text() for path in INFRASTRUCTURE.glob("*.tf")),
    )
    assert skips
    assert [name for name, reason in skips if not re.fullmatch(r":\w.{10,}", reason)] == []
