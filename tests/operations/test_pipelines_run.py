"""Both pipelines, run in clean folders with another model than the demo's, against a stand-in for
Azure."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import orjson
import psutil
import pytest
from click.testing import CliRunner

import support
from arm.resource_manager import GROUP, SUBSCRIPTION, WORKSPACE
from arm.sign_in import CLIENT, RUNNER, TENANT
from azureml_scoring.models.files import signature, trusted_signer
from blackbox.server import needs
from examples import few_of
from mlops.cli import main
from mlops.rollout.azure_sign_in import SCOPES
from pipelines import steps
from pipelines.agent import Agent, check_out
from pipelines.cloud import Cloud, cloud
from pipelines.steps import Step
from places import REPOSITORY
from signed_models import private_pem, public_pem

pytestmark = pytest.mark.timeout(1800)
"""Some ten commands, each of which loads Azure's clients: minutes on a busy machine."""

NAME = "shopper-value"
PROJECT = f"""
[model]
file = "models/shopper.joblib"
sample = "models/shoppers.csv"
drop = ["bought"]
text = ["postcode"]

[names]
model = "{NAME}"
endpoint = "{NAME}"
kubernetes_endpoint = "{NAME}-aks"
batch_endpoint = "{NAME}-batch"
"""
LOGS = "00000000-0000-0000-0000-00000000000a"
GITHUB = {
    "github.run_number": "7",
    "github.run_attempt": "1",
    "inputs.deployment": "green",
    "vars.AZURE_CLIENT_ID": CLIENT,
    "vars.AZURE_TENANT_ID": TENANT,
    "vars.AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
    "vars.AZURE_RESOURCE_GROUP": GROUP,
    "vars.AZURE_WORKSPACE": WORKSPACE,
    "vars.LOG_ANALYTICS_WORKSPACE_ID": LOGS,
    "vars.SIGNING_VAULT": "models",
}
AZURE = {
    "version": "7.1",
    "parameters.deployment": "green",
    "subscription": SUBSCRIPTION,
    "resourceGroup": GROUP,
    "workspace": WORKSPACE,
    "logWorkspace": LOGS,
    "signingVault": "models",
}
ANOTHER_ATTEMPT = {"github.run_attempt": "2", "version": "7.2"}
PIPELINES: dict[str, tuple[Callable[[], Iterator[Step]], dict[str, str]]] = {
    "github": (steps.github, GITHUB),
    "azure": (steps.azure, AZURE),
}
SIGNING = {"AZ_SIGNING_KEY": private_pem().decode()}
QUICK = {"ROLLOUT_OPTIONS": "--step-minutes 0.001 --keep-minutes 0.001 --requests 100"}

NOT_RUN = {
    "sudo apt-get update -qq && sudo apt-get install -y -qq redis-server prometheus": (
        "needs root and the network"
    ),
    ".ci/terraform": "needs docker and the network",
    "make test": "takes minutes, and runs this very test",
    "make terraform": "needs Terraform's registry",
    "make sbom": "test_the_sbom_lists_what_is_installed runs what it calls",
    "make audit": "needs the network",
    "make demo": (
        "test_make_demo_leaves_your_artifact_alone reads it; test_cli.py runs what it calls"
    ),
    ".ci/image": "needs docker; test_image.py runs the image's command without",
    "make manifests": "needs kubectl; test_kubernetes.py compares with what it wrote",
    "git diff --exit-code tests/data/kubernetes": "belongs to make manifests",
}
"""Command -> why it is not run here."""


def jobs(pipeline: str) -> list[list[Step]]:
    """Return the jobs with a step that is run here."""
    read, _ = PIPELINES[pipeline]
    found = [list(job) for _, job in groupby(read(), key=lambda step: step.job)]
    return [
        job for job in found if any(step.command not in NOT_RUN for step in job if step.command)
    ]


def test_every_step_is_run_here_or_has_a_reason():
    """A job is left out only with all its commands, each for a reason in the table."""
    every = {step.command for read, _ in PIPELINES.values() for step in read() if step.command}
    taken = {
        step.command
        for pipeline in PIPELINES
        for job in jobs(pipeline)
        for step in job
        if step.command
    }
    assert taken.isdisjoint(NOT_RUN)
    assert every == taken | NOT_RUN.keys()


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository of a user with another model, after `make artifact` and `make names`, as in
    docs/deploy.md."""
    needs("make")
    folder = check_out(REPOSITORY, tmp_path_factory.mktemp("mine") / "repository")
    estimator, frame = support.codes()
    support.dump(estimator, folder / "models", "shopper.joblib")
    frame.assign(bought=1).to_csv(folder / "models" / "shoppers.csv", index=False)
    (folder / "scoring.toml").write_text(PROJECT)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        for command in ("artifact", "names"):
            done = CliRunner().invoke(main, [command])
            assert done.exit_code == 0, done.output
    return folder


@dataclass
class Run:
    """A run of a pipeline. ``failed``: the first command that failed, after which nothing else
    ran."""

    there: Cloud
    agent: Agent
    steps: list[Step]
    failed: tuple[str, str] | None = None

    def __call__(self) -> None:
        for step in self.steps:
            if "register" in step.job:  # as after "re-run failed jobs"
                self.agent.values = {**self.agent.values, **ANOTHER_ATTEMPT}
            done = self.agent.take(step)
            if done is not None and done.returncode:
                self.failed = str(step.command), done.stdout + done.stderr
                return


def begun(pipeline: str, source: Path, folder: Path, there: Cloud) -> Run:
    values = PIPELINES[pipeline][1]
    agent = Agent(
        source,
        folder,
        values | {"Pipeline.Workspace": str(folder / "store")},
        there.surroundings | QUICK | SIGNING | (RUNNER if pipeline == "github" else {}),
    )
    return Run(
        there, agent, [step for job in jobs(pipeline) for step in job if step.condition is None]
    )


def vanishing(rollout: Run, at: dict[str, int]) -> Callable[[dict[str, int]], None]:
    """Kill all processes of an agent's machine when the traffic should reach ``at``."""

    def watch(live: dict[str, int]) -> None:
        if live == at:
            folder = str(rollout.agent.checkouts[rollout.steps[-1].job])
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    if process.cwd() == folder:
                        process.kill()

    return watch


@pytest.fixture(scope="module")
def github(mine: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """GitHub's pipeline, after its run."""
    folder = tmp_path_factory.mktemp("github")
    with cloud(NAME, mine / "artifact", folder) as there:
        run = begun("github", mine, folder, there)
        run()
        yield run


@pytest.fixture(scope="module")
def azure(mine: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Azure's pipeline, whose agent vanished when half of the traffic should move."""
    folder = tmp_path_factory.mktemp("azure")
    with cloud(NAME, mine / "artifact", folder) as there:
        run = begun("azure", mine, folder, there)
        there.watch = vanishing(run, {"blue": 50, "green": 50})
        run()
        yield run


@pytest.mark.parametrize("pipeline", few_of(PIPELINES, ["github"]))
def test_a_pipeline_registers_the_model_that_the_project_names(
    pipeline: str, mine: Path, tmp_path: Path, request: pytest.FixtureRequest
):
    """The model has its name, its own file and a signature, from clean folders. `make deep` runs
    Azure's pipeline too: each takes some ten commands that load Azure's clients."""
    run: Run = request.getfixturevalue(pipeline)
    assert run.failed is None or "make rollout" in run.failed[0], run.failed
    files = run.there.registered("7.1")
    assert files.keys() == {
        "shopper.joblib",
        "manifest.json",
        "model.onnx",
        "model.sig",
        "tables.json",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    signature.verify(tmp_path, trusted_signer.read(public_pem()))
    assert files["shopper.joblib"] == (mine / "models" / "shopper.joblib").read_bytes()
    manifest = orjson.loads(files["manifest.json"])
    assert (manifest["model_name"], manifest["model_version"]) == (NAME, "7.1")


def test_a_pipeline_rolls_out_what_it_has_registered(github: Run):
    """After the last step the new deployment has all traffic and this run's model, and the old one
    is gone."""
    there = github.there
    assert github.failed is None
    assert set(SCOPES) <= set(there.sign_in.scopes)  # it signed in as the job, not by the CLI
    assert there.deployments.keys() == {"green"}
    assert there.deployments["green"]["model"].endswith(f"/models/{NAME}/versions/7.1")
    assert there.live == {"green": 100}


@pytest.mark.deep
def test_a_rollback_from_another_machine_ends_a_rollout_whose_machine_vanished(
    azure: Run, tmp_path: Path
):
    """The pipeline's own step, in a clean folder, gives all traffic back to the old deployment. In
    `make deep`: tests/unit/mlops/rollout has such rollbacks on a simulated endpoint."""
    assert azure.failed is not None
    command, output = azure.failed
    assert command.endswith("make rollout TO=${{ parameters.deployment }}\n"), output
    assert azure.there.live == {"blue": 90, "green": 10}  # Azure is about to make it half each
    (rollback,) = [step for step in steps.azure() if step.condition is not None and step.command]
    again = begun("azure", azure.agent.source, tmp_path / "another", azure.there)
    again.steps = [rollback]
    again()
    assert again.failed is None, again.failed
    assert azure.there.live == {"blue": 100}


@pytest.mark.parametrize("pipeline", few_of(PIPELINES, ["github"]))
def test_a_pipeline_without_a_model_fails_at_its_first_command(pipeline: str, tmp_path: Path):
    """It fails before all tests, with a sentence that says what to write where."""
    read, values = PIPELINES[pipeline]
    source = check_out(REPOSITORY, tmp_path / "fork")
    (source / "scoring.toml").write_text(PROJECT[PROJECT.index("[names]") :])
    first = next(step for step in read() if step.command)
    done = Agent(source, tmp_path / "agent", values, {"PATH": os.environ["PATH"]}).take(first)
    assert done is not None
    assert done.returncode != 0
    assert "write there file = " in done.stderr.splitlines()[0]
    assert "`make demo` packages the demo" in done.stderr.splitlines()[0]


def test_make_demo_leaves_your_artifact_alone():
    """`make demo` packages into another folder."""
    done = subprocess.run(
        ["make", "-n", "demo"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert "mlops demo --out build/demo/" in done.stdout
    assert "artifact" not in done.stdout
