import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.checkout import REPOSITORY
from mlops.rollout.azure_sign_in import IDENTITY

BIN = Path(sys.executable).parent
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
AZURE = REPOSITORY / "azure-pipelines.yml"
SCHEMAS = {
    AZURE: "vendor.azure-pipelines",
    REPOSITORY / ".github" / "dependabot.yml": "vendor.dependabot",
}
SECRET = re.compile(
    r"secrets\.|password|client-secret|creds:|AZURE_CREDENTIALS|servicePrincipalKey", re.IGNORECASE
)


def load(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(path.read_text())
    return data


def walk(data: object, key: str) -> list[Any]:
    """Return all values of a key, at any depth, in the file's order."""
    if isinstance(data, dict):
        return [
            found
            for name, inner in data.items()
            for found in ([inner] if name == key else walk(inner, key))
        ]
    return [found for inner in data for found in walk(inner, key)] if isinstance(data, list) else []


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, words)), capture_output=True, text=True, check=False, cwd=REPOSITORY
    )


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_are_clean(path: Path):
    """actionlint finds nothing."""
    done = run(BIN / "actionlint", path)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_files_of_other_services_keep_to_their_schemas(path: Path):
    """The schemas are SchemaStore's, which come with check-jsonschema."""
    done = run(BIN / "check-jsonschema", "--builtin-schema", SCHEMAS[path], path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(path: Path):
    """A tag can be moved to other code; the comment says which version it is."""
    used = re.findall(r"uses: (?!\./)(.*)", path.read_text())
    assert used
    assert [
        line for line in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)
    ] == []


def test_an_action_has_one_version_everywhere():
    """An update can't miss one."""
    files = [*WORKFLOWS, REPOSITORY / "docs" / "deploy.md"]
    used = {line for path in files for line in re.findall(r"uses: (?!\./)(.*)", path.read_text())}
    assert len(used) == len({line.partition("@")[0] for line in used})


@pytest.mark.parametrize("path", [*WORKFLOWS, AZURE], ids=lambda path: path.name)
def test_no_pipeline_holds_a_secret(path: Path):
    """Azure authenticates pipelines by federation."""
    assert SECRET.search(path.read_text()) is None


def test_a_job_may_do_what_it_needs_and_no_more():
    """The default is read; only a job that logs in gets a token for Azure; git does not keep its
    own."""
    for path in WORKFLOWS:
        workflow = load(path)
        assert workflow["permissions"] == {"contents": "read"}
        for job in workflow["jobs"].values():
            logs_in = "AZURE_CLIENT_ID" in job.get("env", {}) or any(
                step.get("uses", "").startswith("azure/login@") for step in job.get("steps", [])
            )
            assert job.get("permissions", {}).get("id-token") == ("write" if logs_in else None)
            assert bool(job.get("environment")) == logs_in
            for step in job.get("steps", []):
                if step.get("uses", "").startswith("actions/checkout@"):
                    assert step["with"] == {"persist-credentials": False}


def test_nothing_reaches_azure_before_the_tests_passed():
    """Each job waits for the one before: package, which fails without a model, then tests,
    register, rollout."""
    jobs = load(REPOSITORY / ".github" / "workflows" / "deploy.yml")["jobs"]
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "package": None,
        "ci": "package",
        "register": "ci",
        "rollout": "register",
    }
    assert [stage["stage"] for stage in load(AZURE)["stages"]] == [
        "package",
        "test",
        "register",
        "rollout",
    ]


def test_a_rollout_that_fails_or_is_cancelled_is_rolled_back():
    """Both pipelines do so only if the rollout had begun, and only for this run's deployment."""
    steps = load(REPOSITORY / ".github" / "workflows" / "deploy.yml")["jobs"]["rollout"]["steps"]
    commands = [step.get("run") for step in steps]
    assert commands.index("make rollback OWN=yes") > commands.index(
        "make rollout TO=${{ inputs.deployment }}"
    )
    condition = "(failure() || cancelled()) && steps.rollout.outcome != 'skipped'"
    assert steps[commands.index("make rollback OWN=yes")]["if"] == condition
    *_, rollout, rollback = walk(load(AZURE)["stages"][-1], "steps")[0]
    begin, command = rollout["inputs"]["inlineScript"].splitlines()
    assert begin == 'echo "##vso[task.setvariable variable=begun]yes"'
    assert command == "make rollout TO=${{ parameters.deployment }}"
    assert rollback["inputs"]["inlineScript"] == "make rollback OWN=yes"
    assert rollback["condition"] == "and(or(failed(), canceled()), eq(variables['begun'], 'yes'))"


def test_a_rollout_does_not_outlive_its_login():
    """Azure DevOps signs the CLI in again and again; on GitHub mlops signs in by itself, for which
    its job has the identity and the right to ask who it is."""
    tasks = [
        step["inputs"]
        for steps in walk(load(AZURE), "steps")
        for step in steps
        if step.get("task") == "AzureCLI@2"
    ]
    assert len(tasks) == 3
    assert all(inputs["keepAzSessionActive"] is True for inputs in tasks)
    job = load(REPOSITORY / ".github" / "workflows" / "deploy.yml")["jobs"]["rollout"]
    assert set(IDENTITY) <= job["env"].keys()
    assert job["permissions"]["id-token"] == "write"
    assert not [step for step in job["steps"] if "azure/login@" in step.get("uses", "")]


def test_both_pipelines_call_the_same_targets():
    """Their work is in the Makefile, where it can be tried. The nightly one deploys nothing."""
    makefile = set(re.findall(r"^(\w+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    called = [
        set(re.findall(r"make (\w+)", "".join(path.read_text() for path in files)))
        for files in ([path for path in WORKFLOWS if path.stem != "nightly"], [AZURE])
    ]
    assert called[0] == called[1] <= makefile
    assert called[0] == {
        "test",
        "terraform",
        "sbom",
        "audit",
        "artifact",
        "demo",
        "endpoints",
        "manifests",
        "rollout",
        "rollback",
    }


def test_the_sbom_lists_what_is_installed(tmp_path: Path):
    """The CycloneDX file has each package of the lock with its version."""
    done = run(
        BIN / "cyclonedx-py",
        "requirements",
        "environment/requirements.txt",
        "-o",
        tmp_path / "sbom.json",
    )
    assert done.returncode == 0, done.stderr
    bom = json.loads((tmp_path / "sbom.json").read_text())
    locked = re.findall(
        r"^([a-z][\w.-]*)(?:\[[\w,-]+\])?==([\w.]+)",
        (REPOSITORY / "environment" / "requirements.txt").read_text(),
        re.MULTILINE,
    )
    assert bom["bomFormat"] == "CycloneDX"
    assert {(part["name"], part["version"]) for part in bom["components"]} == set(locked)
