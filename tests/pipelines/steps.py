"""The steps of both pipelines as their files have them, in the order in which they run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
WORKFLOWS = REPOSITORY / ".github" / "workflows"
AZURE = REPOSITORY / "azure-pipelines.yml"


@dataclass(frozen=True)
class Step:
    """``command``: what bash runs; None for an action or a task of the service itself, which
    ``does`` names, with its ``inputs``. ``condition``: when it runs, if not after a success."""

    job: str
    does: str
    command: str | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    condition: str | None = None


def github(file: str = "deploy.yml", inside: str = "") -> Iterator[Step]:
    """Return GitHub's steps in the order of ``needs``, in which the file has its jobs."""
    before: set[str | None] = {None}
    for name, job in yaml.safe_load((WORKFLOWS / file).read_text())["jobs"].items():
        assert job.get("needs") in before, f"{name} stands before what it needs"
        before.add(name)
        if "uses" in job:
            yield from github(Path(job["uses"]).name, f"{name}/")
        for step in job.get("steps", []):
            env = {**job.get("env", {}), **step.get("env", {})}
            does = step.get("uses", "run").partition("@")[0]
            yield Step(
                inside + name, does, step.get("run"), step.get("with", {}), env, step.get("if")
            )


def azure() -> Iterator[Step]:
    """Return Azure's steps, stage by stage."""
    for stage in yaml.safe_load(AZURE.read_text())["stages"]:
        for job in stage["jobs"]:
            name = f"{stage['stage']}/{job.get('job') or job['deployment']}"
            steps = job.get("steps") or job["strategy"]["runOnce"]["deploy"]["steps"]
            for step in steps:
                does = next(
                    key
                    for key in step
                    if key in ("script", "task", "publish", "download", "checkout")
                )
                inputs = step.get("inputs", {}) if does == "task" else step
                command = inputs.get("inlineScript", step.get("script"))
                named = step["task"] if does == "task" else does
                yield Step(name, named, command, inputs, step.get("env", {}), step.get("condition"))


def filled(text: str, values: Mapping[str, str]) -> str:
    """Replace the service's expressions. Raises KeyError for a GitHub one that has no value."""
    text = re.sub(r"\$\{\{ ([\w.]+) \}\}", lambda found: values[found[1]], text)
    return re.sub(r"\$\(([\w.]+)\)", lambda found: values.get(found[1], found[0]), text)
