"""``kubernetes/`` by checkov, as kubectl renders it."""

import json
import os
import subprocess

import pytest

from deploy.manifests import RENDERED
from deploy.test_terraform_checkov import CHECKOV

CHECKS = 300

KNOWN = {
    "CKV_K8S_15": "imagePullPolicy Always: a tag is one version, and a pod is to start while the "
    "registry is down",
    "CKV_K8S_43": "digest: whoever deploys knows it, not this repository",
    "CKV_K8S_35": "a secret as variable: the guide's Redis key, where the settings read it; Entra "
    "ID needs none",
}
"""Checks that fail, and why they may."""


def test_nothing_fails_but_what_has_a_reason():
    """checkov reads every file of both overlays and both components."""
    if not CHECKOV.exists():
        pytest.fail(
            "checkov is missing: `make deployfiles` installs it first, in an environment of its "
            "own."
        )
    files = [word for file in sorted(RENDERED.glob("*.yaml")) for word in ("--file", str(file))]
    done = subprocess.run(
        [CHECKOV, *files, "--framework", "kubernetes", "--output", "json", "--skip-download"],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )
    report = json.loads(done.stdout)
    assert {one["check_id"] for one in report["results"]["failed_checks"]} == KNOWN.keys()
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] >= CHECKS
