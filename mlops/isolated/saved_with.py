"""Finds out with which packages a model was saved, without unpickling it."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from azureml_scoring.errors import StartupError
from azureml_scoring.models.files import bounded_yaml, load_failure
from azureml_scoring.models.files.artifact import Artifact
from mlops import requirements
from mlops.say import Say

NEEDED_TO_LOAD = ("numpy", "pandas", "scikit-learn")
WITHOUT_NUMPY_2 = Version("1.4.2")
"""The first scikit-learn that was compiled for numpy 2."""

NOT_INSTALLED = ("mlflow", "mlflow-skinny", "pip", "setuptools", "wheel")
"""MLflow lists these, and no model needs them to predict."""

MODULE_PATTERN = re.compile(
    rb"\x8c.([A-Za-z_][\w.]*)\x94\x8c.[A-Za-z_][\w.]*\x94\x93|c([A-Za-z_][\w.]*)\n[A-Za-z_][\w.]*\n"
)
"""A module and a name in it, as pickles of protocol 4 and of earlier ones hold them."""


@dataclass(frozen=True)
class SavedWith:
    """What an environment for a model must hold.

    packages: package -> specifier, such as "==1.1.3"; "" if any version may do.
    python: such as "3.9"; None if nothing says it.
    source: what says so, as the end of a sentence.
    """

    packages: dict[str, str]
    python: str | None
    source: str

    @property
    def scikit_learn(self) -> Version | None:
        """The version of scikit-learn, if it is one."""
        try:
            return Version(self.packages["scikit-learn"].removeprefix("=="))
        except InvalidVersion:
            return None

    @property
    def lines(self) -> list[str]:
        """The packages as lines of a requirements file."""
        return [f"{package}{specifier}" for package, specifier in sorted(self.packages.items())]


def saved_with(
    source: Artifact, requirements_file: Path | None, own_modules: Iterable[str], say: Say
) -> SavedWith:
    """Return what the user's file says, else MLflow's files, else the pickle.

    own_modules: top-level modules that --code brings. Raises StartupError if nothing says which
    scikit-learn it was.
    """
    logged = source.mlflow.sklearn_version if source.mlflow else None
    pickled = load_failure.saved_version(source.file) or logged
    listed, python, name = _listed(source, requirements_file)
    packages = dict(listed)
    if "scikit-learn" not in packages and pickled:
        packages["scikit-learn"] = f"=={pickled}"
        name = f"{name} and {source.file.name}" if name else source.file.name
    if "scikit-learn" not in packages:
        raise StartupError(
            f"{source.file.name} does not say which scikit-learn saved it; name it by "
            f"--requirements FILE, with a line such as scikit-learn==1.3.2."
        )
    for package in sorted(_named_by(source.file, own_modules) - {*packages}):
        say(
            f"  note: nothing says which {package} saved the model, so the newest that fits is "
            f"taken; name it by --requirements FILE"
        )
        packages[package] = ""
    return _loadable(SavedWith(packages, python, name))


def _listed(
    source: Artifact, requirements_file: Path | None
) -> tuple[dict[str, str], str | None, str]:
    """Return packages, Python, and what lists them; "" if nothing does."""
    if requirements_file:
        packages, python = _split(requirements.parse(requirements_file))
        return packages, python, requirements_file.name
    if source.mlflow:
        return _of_mlflow(source.file.parents[len(Path(source.mlflow.model_file).parts) - 1])
    return {}, None, ""


def _of_mlflow(folder: Path) -> tuple[dict[str, str], str | None, str]:
    """Read requirements.txt, conda.yaml and python_env.yaml, as far as they are there."""
    conda, python_env = (_yaml(folder / name) for name in ("conda.yaml", "python_env.yaml"))
    dependencies = [*(conda.get("dependencies") or [])]
    words = [word for word in dependencies if isinstance(word, str)]
    lines = [re.sub(r"(?<![=<>!~])=(?!=)", "==", word) for word in words]
    name = "conda.yaml"
    if (file := folder / "requirements.txt").is_file():
        lines, name = [*lines, *file.read_text(encoding="utf-8").splitlines()], file.name
    else:
        pip = (each["pip"] for each in dependencies if isinstance(each, dict))
        lines = [*lines, *itertools.chain.from_iterable(pip)]
    packages, python = _split(_requirements(lines))
    python = _minor(str(python_env.get("python") or "")) or python
    return packages, python, f"MLflow's {name}" if packages else ""


def _yaml(file: Path) -> dict[str, Any]:
    try:
        document = bounded_yaml.load(file.read_text(encoding="utf-8"))
    except Exception:  # a file from outside, or none
        return {}
    return document if isinstance(document, dict) else {}


def _requirements(lines: Iterable[str]) -> Iterable[Requirement]:
    for line in lines:
        try:
            requirement = Requirement(line.partition("#")[0].strip())
        except InvalidRequirement:  # an option, or a comment
            continue
        if not requirement.url:
            yield requirement


def _split(lines: Iterable[Requirement]) -> tuple[dict[str, str], str | None]:
    """Return the packages, and the Python that is listed like one."""
    packages, python = dict[str, str](), None
    for line in lines:
        name = canonicalize_name(line.name)
        if name == "python":
            python = _minor(str(line.specifier).lstrip("=~<>"))
        elif name not in NOT_INSTALLED and (not line.marker or line.marker.evaluate()):
            packages[name] = str(line.specifier)
    return packages, python


def _minor(version: str) -> str | None:
    match = re.match(r"\d+\.\d+", version)
    return match and match[0]


def _named_by(file: Path, own_modules: Iterable[str]) -> set[str]:
    """Return the packages whose classes a pickle names, of those known by their modules."""
    start = load_failure.first_bytes(file)
    named = {(new or old).decode() for new, old in MODULE_PATTERN.findall(start)}
    tops = {name.partition(".")[0] for name in named} - {*own_modules, *sys.stdlib_module_names}
    return {load_failure.PACKAGES[top] for top in tops if top in load_failure.PACKAGES}


def _loadable(saved: SavedWith) -> SavedWith:
    """Add what loading and asking it takes, in versions that go with its scikit-learn."""
    defaults = dict.fromkeys(NEEDED_TO_LOAD, "") | {"pandas": "<3"}
    if (version := saved.scikit_learn) and version < WITHOUT_NUMPY_2:
        defaults["numpy"] = "<2"
    return SavedWith(defaults | saved.packages, saved.python, saved.source)
