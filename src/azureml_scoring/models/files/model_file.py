"""Loads a model's file: verifies it before unpickling, and loads only what the settings permit.

Nothing beside the model can permit more, not even its manifest (docs/adr/0003).
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

import joblib

from azureml_scoring.errors import StartupError
from azureml_scoring.models.boosters import native_file
from azureml_scoring.models.engines.graph_estimator import GraphEstimator
from azureml_scoring.models.files import (
    load_failure,
    manifest,
    mlflow_folder,
    own_modules,
    python_function,
    requirements,
)
from azureml_scoring.models.files.absent_estimator import AbsentEstimator
from azureml_scoring.models.files.artifact import Artifact
from azureml_scoring.models.files.file_formats import booster_library, is_graph
from azureml_scoring.models.files.manifest import version_skew
from azureml_scoring.models.files.mlflow_folder import MlflowModel
from azureml_scoring.models.files.python_function import FunctionEstimator
from azureml_scoring.settings import Settings


class UntrustedTypes(StartupError):
    """A skops file holds types that are not trusted.

    ``problem`` and ``types`` let a caller suggest another remedy than the setting.
    """

    def __init__(self, name: str, types: list[str]) -> None:
        self.types = types
        self.problem = (
            f"{name} holds types that skops does not trust ({', '.join(types)}), by which whoever "
            f"made it may run code"
        )
        super().__init__(
            f"{self.problem}; if you trust that, set SCORING_SKOPS_TRUSTED_TYPES={','.join(types)} "
            f"where it is served."
        )


def verify(artifact: Artifact, settings: Settings) -> str:
    """Return the sha256 of a packaged model's file, which ``read`` may load later.

    Raises StartupError where ``read`` would before it loads anything.
    """
    _verify_beside(artifact)
    with _open(artifact.file) as file:
        digest = _verified_digest(file, artifact)
    if not booster_library(artifact.file):
        _refuse_pickle(artifact, settings)
    return digest


def loads_quietly(artifact: Artifact) -> bool:
    """Whether ``verify`` knows all that the settings may forbid of the file. What they forbid of a
    skops file shows only once it is read."""
    path = artifact.file
    return not (
        path.name == mlflow_folder.FILE_NAME or is_graph(path) or path.suffix.lower() == ".skops"
    )


def read(
    artifact: Artifact, settings: Settings, classes: Sequence[Any] = ()
) -> tuple[Any, str, dict[str, str]]:
    """Return the estimator, the file's sha256, and the version skew that scikit-learn reports.

    ``classes``: names for the classes of a booster's own file, in place of the manifest's. Raises
    StartupError.
    """
    _verify_beside(artifact)
    if artifact.file.name == mlflow_folder.FILE_NAME:
        return *_function(artifact, settings, classes), {}
    with _open(artifact.file) as file, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        digest = _verified_digest(file, artifact)
        file.seek(0)  # load the same bytes that were hashed
        try:
            estimator = _load(file, artifact, settings, classes)
        except (StartupError, KeyboardInterrupt):
            raise
        except BaseException as error:  # a pickle can raise anything
            raise StartupError(
                load_failure.sentence(error, artifact.file, saved_versions(artifact))
            ) from None
    # By its attribute: importing scikit-learn takes seconds, which a model without it does not pay.
    older = [
        w.message.original_sklearn_version
        for w in caught
        if hasattr(w.message, "original_sklearn_version")
    ]
    return estimator, digest, version_skew({"scikit-learn": older[0]} if older else {})


def _verify_beside(artifact: Artifact) -> None:
    own_modules.verify(artifact)
    if artifact.manifest:
        requirements.check(artifact.manifest.requirements)


def _verified_digest(file: BufferedReader, artifact: Artifact) -> str:
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    if artifact.manifest:
        artifact.manifest.verify(artifact.file.name, digest)
    return digest


def _open(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise StartupError(
            f"{path} can't be read ({error.strerror}); upload it again, or correct its rights."
        ) from None


def _load(file: IO[bytes], artifact: Artifact, settings: Settings, classes: Sequence[Any]) -> Any:
    path = artifact.file
    if artifact.manifest and (origin := artifact.manifest.origin):
        return AbsentEstimator(f"of scikit-learn {origin.packages.get('scikit-learn')}")
    if library := booster_library(path):
        known = classes or (artifact.manifest.classes if artifact.manifest else ())
        try:
            return native_file.read(file.read(), library, known)
        except native_file.WrongClasses as error:
            raise StartupError(str(error)) from None
    _refuse_classes(path, classes)
    if is_graph(path):
        return GraphEstimator(file.read(), path.name, settings.scoring_onnx_provider)
    if path.suffix.lower() == ".skops":
        if settings.scoring_allow_pickle:  # else nothing that comes with the model may run code
            own_modules.make_importable(artifact, pickled=False)
        return _without_pickle(file.read(), path.name, settings.trusted_types)
    _refuse_pickle(artifact, settings)
    own_modules.make_importable(artifact, pickled=True)
    return joblib.load(file)


def _refuse_pickle(artifact: Artifact, settings: Settings) -> None:
    name = artifact.file.name
    if not settings.scoring_allow_pickle:
        raise StartupError(
            f"{name} is a pickle, which SCORING_ALLOW_PICKLE=false forbids; save it with "
            f"skops.io.dump() as a .skops file, or remove the setting."
        )
    if why := load_failure.of_bytecode(artifact.file, _saved_by(artifact)):
        raise StartupError(f"{name} {why}.")


def _function(
    artifact: Artifact, settings: Settings, classes: Sequence[Any]
) -> tuple[FunctionEstimator, str]:
    """Return MLflow's python_function, and a sha256 over all of its files. Raises StartupError."""
    folder = artifact.file.parent
    _refuse_classes(artifact.file, classes)
    if not settings.scoring_allow_pickle:
        raise StartupError(
            f"{artifact.file} describes a python_function, which runs its author's code as a "
            f"pickle does, and SCORING_ALLOW_PICKLE=false forbids that; remove the setting if you "
            f"trust the model."
        )
    sums = python_function.checksums(folder)
    if artifact.manifest:
        del sums[manifest.FILE_NAME]
        for name in artifact.manifest.files.keys() - sums:
            raise StartupError(
                f"{name}, which the manifest names, is not there; upload the artifact folder again."
            )
        for name, content in sums.items():
            artifact.manifest.verify(name, content)
    described = artifact.mlflow or MlflowModel.read(folder)
    own_modules.make_importable(artifact, pickled=True)
    if artifact.manifest:  # a loader may put any folder of the model on the path
        own_modules.import_only_verified(folder, folder, artifact.manifest)
    return python_function.load(folder, described), python_function.digest(sums)


def _refuse_classes(path: Path, classes: Sequence[Any]) -> None:
    if classes:
        raise StartupError(
            f"--classes names the classes of boosters in their library's own file, and {path.name} "
            f"is none; leave --classes out."
        )


def _without_pickle(data: bytes, name: str, trusted: frozenset[str]) -> Any:
    import skops.io

    types = set(skops.io.get_untrusted_types(data=data))
    if types - trusted:
        raise UntrustedTypes(name, sorted(types - trusted))
    return skops.io.loads(data, trusted=sorted(types))


def _saved_by(artifact: Artifact) -> str | None:
    """Return the version of Python at saving, if it is known."""
    if artifact.manifest:
        return artifact.manifest.versions.get("python")
    return artifact.mlflow.python if artifact.mlflow else None


def saved_versions(artifact: Artifact) -> dict[str, str]:
    """Return package -> version at saving, as far as known without loading the file."""
    if artifact.manifest:
        return artifact.manifest.versions
    if artifact.mlflow and artifact.mlflow.sklearn_version:
        return {"scikit-learn": artifact.mlflow.sklearn_version}
    return {}
