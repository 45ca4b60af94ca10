"""Writes the environment of one model: the service's lock and the packages that the model needs."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from azureml_scoring.errors import StartupError
from azureml_scoring.models.files.manifest import Manifest
from azureml_scoring.models.files.requirements import pip_install
from mlops import output
from mlops.requirements import LOCK
from mlops.say import Say

CONDA = LOCK.with_name("conda.yml")
COMPILE = (
    "uv", "pip", "compile", "--quiet", "--no-strip-extras", "--universal", "--fork-strategy",
    "fewest", "--python-version", "3.11", "--generate-hashes", "--no-annotate", "--no-header",
)  # fmt: skip
"""As in the Makefile: only so is the result a lock of the same kind."""

HEADER = f"# {output.MARK} environment.\n"


def write(artifact: Path, out: Path, say: Say) -> tuple[Path, Path]:
    """Write requirements.txt and conda.yml to ``out``; return their paths.

    The lock's versions stay as they are, but for that of scikit-learn if the model was packaged
    with another. Raises StartupError.
    """
    requirements, conda = out / "requirements.txt", out / "conda.yml"
    for file in (requirements, conda):
        output.check(file)
    manifest = Manifest.read(artifact)
    if not LOCK.is_file():
        raise StartupError(
            "mlops environment adds to the lock in environment/, which only a checkout has; run it "
            "there."
        )
    replaced = _replaced(manifest)
    if needed := manifest.requirements | replaced:
        names = ", ".join(f"{package} {number}" for package, number in needed.items())
        say(f"Resolving {names} with the lock (a minute or two)")
        locked = _resolve(needed, replaced)
    else:
        say("The model needs no packages beyond the lock, which is written as it is")
        locked = LOCK.read_text(encoding="utf-8")
    output.write(requirements, HEADER + locked)
    head, pip, _ = CONDA.read_text(encoding="utf-8").partition("  - pip:\n")
    pins = re.findall(r"^([a-z].*[^ ]) \\$", locked, re.MULTILINE | re.IGNORECASE)
    lines = [*head.splitlines(keepends=True)[1:], pip, *(f"      - {pin}\n" for pin in pins)]
    output.write(conda, HEADER + "".join(lines))
    return requirements, conda


def _replaced(manifest: Manifest) -> dict[str, str]:
    """Return package -> version of what a pickle needs in place of the lock's."""
    locked = re.search(r"^scikit-learn==(\S+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    packaged = manifest.versions.get("scikit-learn")
    if manifest.origin or not locked or packaged in (None, "not installed", locked[1]):
        return {}
    return {"scikit-learn": str(packaged)}


def _resolve(needed: Mapping[str, str], replaced: Mapping[str, str]) -> str:
    """Return the lock with packages added and replaced, in pip's format with hashes. Raises
    StartupError."""
    if importlib.util.find_spec("uv") is None:
        raise StartupError(f"mlops environment needs uv; run `{pip_install(['uv'])}`.")
    with tempfile.TemporaryDirectory() as scratch:
        added, resolved = Path(scratch) / "added.in", Path(scratch) / "requirements.txt"
        override = Path(scratch) / "override.in"
        for file, packages in ((added, needed), (override, replaced)):
            file.write_text("".join(f"{name}=={number}\n" for name, number in packages.items()))
        words = [sys.executable, "-m", *COMPILE, "--override", str(override)]
        words += [str(LOCK), str(added), "--output-file"]
        done = subprocess.run(  # noqa: S603
            [*words, str(resolved)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise StartupError(_failure(done.stderr))
        return resolved.read_text(encoding="utf-8")


def _failure(stderr: str) -> str:
    if re.search("Failed to fetch|not found in the cache|network was disabled", stderr):
        return (
            "The index of packages can't be reached, so nothing was written; run this where "
            "`pip install` works, with UV_DEFAULT_INDEX set to your own index if you have one."
        )
    cause = re.search(r"cause: (.*)", stderr) or re.search(r"error: (.*)", stderr)
    why = cause[1].rstrip(".") if cause else "uv failed"
    return (
        f"The model's packages do not fit the lock ({why}); train the model with versions that "
        f"do, and package it again."
    )
