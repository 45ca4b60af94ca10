"""Finds what a model needs beside its file: its author's modules, and packages."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from azureml_scoring.errors import StartupError
from azureml_scoring.models.boosters.booster_estimator import BoosterClassifier, BoosterRegressor
from azureml_scoring.models.files import load_failure
from azureml_scoring.models.files.artifact import Artifact
from azureml_scoring.models.files.own_modules import FOLDER
from azureml_scoring.models.files.python_function import FunctionEstimator
from mlops import code_folder, fresh_process, own_modules, pickled_names, requirements
from mlops.say import Say


class Needs:
    """What one model needs. Folders of code are put on the path, before all others."""

    def __init__(
        self,
        source: Artifact,
        folders: Sequence[Path],
        requirements_file: Path | None,
        trust: Collection[str],
        say: Say,
    ) -> None:
        """Read folders and file, and those of MLflow's ``code_paths``. Raises StartupError."""
        logged = source.mlflow and source.mlflow.code
        folders = [*folders, *([logged] if logged else [])]
        self._source = source
        self._trust = trust
        self._code = code_folder.of_folders(folders, say)
        self._listed = requirements.of_file(requirements_file) if requirements_file else {}
        self._before = {*sys.modules}
        self._modules = {name.rpartition(".")[0] for name in trust}
        sys.path[:0] = [code_folder.path_entry(folder) for folder in folders]

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Note the modules of the classes that a pickle names inside the block.

        Raises StartupError if one is ``__main__``, which is another program where it is served.
        """
        with pickled_names.recorded() as names:
            yield
        for module, name in sorted(names):
            if module == "__main__":
                raise StartupError(f"{self._source.file.name} {load_failure.of_main(name)}.")
        self._modules |= {module for module, _ in names}

    def code(self, say: Say) -> dict[str, Path]:
        """Return name in the artifact -> file of the code, with what has been imported by now."""
        found = own_modules.find({*sys.modules} - self._before, self._code, say)
        self._code = found | self._code
        return {f"{FOLDER}/{place}": file for place, file in self._code.items()}

    def packages(self, estimator: Any, say: Say) -> dict[str, str]:
        """Return package -> version beyond what the service brings."""
        own = {place.partition("/")[0].removesuffix(".py") for place in self._code}
        by_own_code = {*requirements.imported_by(self._code.values())} & {*sys.modules}
        modules = self._modules | by_own_code | {type(estimator).__module__}
        if isinstance(estimator, BoosterClassifier | BoosterRegressor | FunctionEstimator):
            modules |= {*estimator.modules}
        needed = requirements.of_modules(
            name for name in modules if name.partition(".")[0] not in own
        )
        needed |= self._listed
        for package, number in sorted(needed.items()):
            say(f"  needs {package} {number} where it is served, which the service does not bring")
        return dict(sorted(needed.items()))

    def check_alone(self, artifact: Path, say: Say) -> None:
        """Raise StartupError unless an artifact with code can be loaded by itself."""
        if self._code:
            say("Loading it in a new process, with that code alone")
            fresh_process.check_loads(artifact, self._trust)
