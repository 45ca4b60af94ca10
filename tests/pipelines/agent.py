"""An agent of both services: runs the commands of a pipeline's steps with bash, each job in a
checkout of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pathspec import GitIgnoreSpec

from pipelines.steps import Step, filled

VENV = Path(sys.prefix)
SHIMS = Path(__file__).parent

ITS_OWN = {
    "actions/checkout",
    "actions/setup-python",
    "azure/login",
    "checkout",
    "UsePythonVersion@0",
}
"""What the services do before a job's commands: code, Python and a sign-in are there already."""

PUBLISH, DOWNLOAD = (
    {"actions/upload-artifact", "publish"},
    {"actions/download-artifact", "download"},
)


def files(folder: Path) -> Iterator[Path]:
    """What a commit of all that lies in ``folder`` would hold: git's own and what .gitignore names
    is left out."""
    ignored = GitIgnoreSpec.from_lines([".git/", *(folder / ".gitignore").read_text().splitlines()])
    for place, folders, names in os.walk(folder):
        below = Path(place).relative_to(folder)
        folders[:] = [name for name in folders if not ignored.match_file(f"{below / name}/")]
        yield from (below / name for name in names if not ignored.match_file(below / name))


def check_out(source: Path, target: Path) -> Path:
    """A fresh copy, with an environment in which the requirements are installed already."""
    for file in files(source):
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / file, target / file)
    for cache in (*source.glob("mlops/**/__pycache__"), *source.glob("src/**/__pycache__")):
        # Else each job would compile the modules anew, for seconds.
        half_written = shutil.ignore_patterns("*.pyc.*")
        shutil.copytree(cache, target / cache.relative_to(source), ignore=half_written)
    (target / ".venv").mkdir()
    for part in VENV.iterdir():
        if not part.name.startswith("."):
            (target / ".venv" / part.name).symlink_to(part)
    for marker in (".serving", ".testing"):
        (target / ".venv" / marker).touch()
    return target


@dataclass
class Agent:
    """``values``: of the service's expressions. ``surroundings``: variables of the agent's
    machine."""

    source: Path
    folder: Path
    values: Mapping[str, str]
    surroundings: Mapping[str, str]
    checkouts: dict[str, Path] = field(default_factory=dict)

    def checkout(self, job: str) -> Path:
        if job not in self.checkouts:
            self.checkouts[job] = check_out(self.source, self.folder / job)
        return self.checkouts[job]

    def bash(self, job: str, step: Step) -> subprocess.CompletedProcess[str]:
        """Run a script as GitHub does, and as Azure DevOps should: it ends at the first command
        that fails."""
        checkout = self.checkout(job)
        env = {name: filled(value, self.values) for name, value in step.env.items()}
        return subprocess.run(
            ["bash", "-e", "-c", filled(step.command or "", self.values)],
            cwd=checkout,
            env={**self.surroundings, "PYTHONPATH": str(checkout), **env},
            capture_output=True,
            text=True,
            check=False,
        )

    def take(self, step: Step) -> subprocess.CompletedProcess[str] | None:
        """Run the step, if it has a command; keep or fetch what it hands to other jobs. Raises
        KeyError for others."""
        if step.command is not None:
            return self.bash(step.job, step)
        store = self.folder / "store" / str(step.inputs.get("name", step.inputs.get("artifact")))
        if step.does in PUBLISH:
            shutil.copytree(
                self.checkout(step.job) / (step.inputs.get("path") or step.inputs["publish"]), store
            )
        elif step.does == "actions/download-artifact":
            shutil.copytree(store, self.checkout(step.job) / step.inputs["path"])
        elif step.does not in ITS_OWN | DOWNLOAD:
            raise KeyError(step.does)
        return None
