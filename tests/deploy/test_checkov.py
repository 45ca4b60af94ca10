"""``infrastructure/`` with production's settings, and ``kubernetes/`` as kubectl renders it, by
checkov."""

import re
from typing import Any

import pytest

from deploy.checkov_runs import PYTHON, reports
from deploy.manifests import RENDERED
from terraform.module import INFRASTRUCTURE

PRODUCTION = INFRASTRUCTURE / "terraform.tfvars.prod"
TIERS = ("managed", "classic")
MIN_TERRAFORM_CHECKS, MIN_KUBERNETES_CHECKS = 60, 300

KNOWN = {
    "CKV_K8S_15": "imagePullPolicy Always: a tag is one version, and a pod is to start while the "
    "registry is down",
    "CKV_K8S_43": "digest: whoever deploys knows it, not this repository",
    "CKV_K8S_35": "a secret as variable: the guide's Redis key, where the settings read it; Entra "
    "ID needs none",
}
"""Checks of manifests that fail, and why they may."""


@pytest.fixture(scope="module")
def by_checkov(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The reports, by tier of Redis, and of the manifests."""
    if not PYTHON.exists():
        pytest.fail(
            "checkov is missing: `make deployfiles` installs it first, in an environment of its "
            "own."
        )
    folder = tmp_path_factory.mktemp("checkov")
    runs = {}
    for tier in TIERS:
        variables = folder / f"{tier}.tfvars"
        variables.write_text(f'{PRODUCTION.read_text()}\nredis_tier = "{tier}"\n')
        words = ("--directory", INFRASTRUCTURE, "--var-file", variables, "--framework", "terraform")
        runs[tier] = [*map(str, words)]
    files = [word for file in sorted(RENDERED.glob("*.yaml")) for word in ("--file", str(file))]
    runs["kubernetes"] = [*files, "--framework", "kubernetes"]
    return reports(runs, folder)


@pytest.mark.parametrize("tier", TIERS)
def test_production_is_clean(by_checkov: dict[str, Any], tier: str):
    """checkov reads every file, and no check fails."""
    report = by_checkov[tier]
    failed = [f"{one['check_id']} {one['resource']}" for one in report["results"]["failed_checks"]]
    assert failed == []
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] >= MIN_TERRAFORM_CHECKS


def test_what_is_skipped_has_a_reason():
    """The reason is one sentence in the resource itself."""
    skips = re.findall(
        r"#checkov:skip=([^:\n]*)(.*)",
        "".join(path.read_text() for path in INFRASTRUCTURE.glob("*.tf")),
    )
    assert skips
    assert [name for name, reason in skips if not re.fullmatch(r":\w.{10,}", reason)] == []


def test_nothing_fails_in_a_manifest_but_what_has_a_reason(by_checkov: dict[str, Any]):
    """checkov reads every file of both overlays and both components."""
    report = by_checkov["kubernetes"]
    assert {one["check_id"] for one in report["results"]["failed_checks"]} == KNOWN.keys()
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] >= MIN_KUBERNETES_CHECKS
