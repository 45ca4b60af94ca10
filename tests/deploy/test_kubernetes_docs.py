"""The commands of docs/kubernetes.md can be pasted."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.checkout import REPOSITORY
from mlops import deployment
from mlops.cli import main

PAGE = (REPOSITORY / "docs" / "kubernetes.md").read_text()
LINES = [
    line
    for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]
SIMULATE = ".venv/bin/mlops simulate "
SIMULATIONS = [line.removeprefix(SIMULATE) for line in LINES if line.startswith(SIMULATE)]


@pytest.mark.parametrize("arguments", SIMULATIONS)
def test_each_simulation_runs_and_says_what_the_page_says(
    arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The table below the first command is its output."""
    monkeypatch.chdir(REPOSITORY)
    done = CliRunner().invoke(main, ["simulate", *arguments.split(), "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    if arguments == SIMULATIONS[0]:
        (shown,) = re.findall(r"```\n( +setting .*?)\n```", PAGE, re.DOTALL)
        assert shown == done.output.partition("\n\n")[0]


def test_every_other_command_says_what_it_needs():
    """It needs a cluster, Azure, or docker (.ci/image runs those); the make targets exist."""
    others = [line for line in LINES if not line.startswith(SIMULATE)]
    marked = re.compile(r"(make|docker build) |.*# (Azure|cluster)\b")
    assert len(others) > 20
    assert [line for line in others if not marked.match(line)] == []


def test_the_images_are_built_as_ci_builds_them():
    """The commands are the same word for word, except for the model's folder."""
    builds = [line for line in LINES if line.startswith("docker build")]
    assert len(builds) == 2
    script = (REPOSITORY / ".ci" / "image").read_text().replace('"$model"', "artifact").splitlines()
    assert [line for line in builds if line not in script] == []


def test_the_files_of_the_page_are_there():
    """Files and folders exist under their names."""
    named = set(
        re.findall(
            r"(?:kubernetes|endpoints|environment|mlops|tests)/[\w./-]+\.(?:ya?ml|json|py)", PAGE
        )
    )
    assert len(named) >= 5
    guides = {"kubernetes/ml-inference-hpa.yaml"}
    assert {name for name in named if not (REPOSITORY / name).is_file()} == guides
    links = re.findall(r"\]\(([\w-]+\.(?:md|svg))", PAGE)
    assert [name for name in links if not (REPOSITORY / "docs" / name).is_file()] == []


def test_the_seconds_of_the_page_are_the_tables():
    """The page shows preStop's seconds as the table has them."""
    assert f"`preStop` waits {deployment.PRE_STOP_S} s" in PAGE
