"""``infrastructure/`` in Terraform itself, with stand-ins for the providers:
tests/terraform/provider.py."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.checkout import REPOSITORY
from terraform.module import INFRASTRUCTURE, ROOTS
from terraform.provider import providers

Terraform = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    """Run a Terraform command in a folder."""
    program = shutil.which("terraform")
    if program is None:
        pytest.fail(
            "Terraform is missing: .ci/terraform puts it in place, or see "
            "developer.hashicorp.com/terraform/install."
        )
    folder = tmp_path_factory.mktemp("terraform")
    with providers(folder) as found:
        environment = {
            **os.environ,
            **found,
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_CONFIG_FILE": os.devnull,
            "TF_DATA_DIR": str(folder / "data"),
        }

        def run(where: Path, *words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [program, f"-chdir={where}", *words, "-no-color"],
                capture_output=True,
                text=True,
                check=False,
                env=environment,
            )

        yield run


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the module to put mistakes into."""
    return Path(
        shutil.copytree(
            INFRASTRUCTURE, tmp_path / "infrastructure", ignore=shutil.ignore_patterns(".terraform")
        )
    )


def test_files_are_formatted(terraform: Terraform):
    """`terraform fmt` changes nothing, nor in files of variables whose suffix it does not know."""
    done = terraform(INFRASTRUCTURE, "fmt", "-check", "-diff", "-recursive")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    "name",
    [
        "terraform.tfvars.dev-edge-learning",
        "terraform.tfvars.prod",
        "global/terraform.tfvars.prod",
        "backend.tf.example",
    ],
)
def test_files_that_fmt_does_not_know_are_formatted(terraform: Terraform, copy: Path, name: str):
    """They are checked under a suffix that it knows."""
    (copy / name).rename(copy / "named.tf")
    done = terraform(copy, "fmt", "-check", "-diff", "named.tf")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.name)
def test_a_root_is_valid(terraform: Terraform, root: Path):
    """Terraform accepts types, references, blocks and arguments."""
    assert terraform(root, "init", "-backend=false").returncode == 0
    done = terraform(root, "validate")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "before", "after", "said"),
    [
        (
            "cache.tf",
            "eviction_policy ",
            "evicting_policy ",
            'argument named "evicting_policy" is not expected',
        ),
        ("aks.tf", "node_provisioning_profile {", "node_provisioning {", "Unsupported block type"),
        (
            "identity.tf",
            "workload[0].principal_id",
            "workload[0].principal",
            "Unsupported attribute",
        ),
        ("ml.tf", "local.names.workspace", "local.names.work_space", "Unsupported attribute"),
        (
            "monitoring.tf",
            "= azurerm_log_analytics_workspace.main.id",
            '= "log-scoring"',
            "azurerm_application_insights.workspace_id: not a resource id",
        ),
    ],
)
def test_terraform_finds_mistakes_with_the_stand_ins(
    terraform: Terraform, copy: Path, name: str, before: str, after: str, said: str
):
    """The stand-ins have the schema of the real providers, and validate ids as they do."""
    (copy / name).write_text((copy / name).read_text().replace(before, after, 1))
    assert terraform(copy, "init", "-backend=false").returncode == 0
    done = terraform(copy, "validate")
    assert done.returncode == 1
    assert said in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.name)
def test_flags_make_what_they_say(terraform: Terraform, root: Path):
    """`terraform test` runs the tests of each root with mocked providers."""
    assert terraform(root, "init", "-backend=false").returncode == 0
    done = terraform(root, "test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failed" in done.stdout


SECOND_REGION = (
    "-var=environment=prod2",
    "-var=location=swedencentral",
    "-var=address_space=10.44.0.0/16",
)


@pytest.mark.parametrize(
    ("name", "others"),
    [("dev-edge-learning", ()), ("prod", ()), ("prod", SECOND_REGION)],
    ids=["dev", "prod", "second-region"],
)
def test_the_variables_of_an_environment_are_accepted(
    terraform: Terraform, copy: Path, name: str, others: tuple[str, ...]
):
    """They pass every type and rule, with all flags on; a second region has the first one's file
    and the values that docs/regions.md gives."""
    page = (REPOSITORY / "docs" / "regions.md").read_text()
    assert all(other.replace("-var=", "-var ") in page for other in others)
    flags = (copy / "tests" / "flags.tftest.hcl").read_text()
    mocks = flags[: flags.index("variables {")]
    for path in (copy / "tests").iterdir():
        path.unlink()
    run = (
        'variables {\n  subscription_id = "00000000-0000-0000-0000-000000000000"\n}\n'
        'run "all" {\n  command = plan\n}\n'
    )
    (copy / "tests" / "environment.tftest.hcl").write_text(mocks + run)
    assert terraform(copy, "init", "-backend=false").returncode == 0
    done = terraform(copy, "test", f"-var-file=terraform.tfvars.{name}", *others)
    assert "1 passed, 0 failed" in done.stdout, done.stdout + done.stderr
