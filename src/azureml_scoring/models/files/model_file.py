"""A model's file: verified before anything is unpickled, and loaded only as far as whoever deploys
it permits.

Nothing that lies beside the model, and no manifest, permits anything (docs/adr/0003).
"""

from __future__ import annotations

import hashlib
import warnings
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

import joblib

from azureml_scoring.errors import StartupError
from azureml_scoring.models.files import load_failure, own_modules
from azureml_scoring.models.files.artifact import Artifact
from azureml_scoring.models.files.manifest import version_skew
from azureml_scoring.settings import Settings


class UntrustedTypes(StartupError):
    """``problem`` and ``types``: for whoever knows a better remedy than the setting."""

    def __init__(self, name: str, types: list[str]) -> None:
        self.types = types
        self.problem = f"{name} holds types that skops does not trust ({', '.join(types)}), by which whoever made it may run code"
        super().__init__(
            f"{self.problem}; if you trust that, set SCORING_SKOPS_TRUSTED_TYPES={','.join(types)} "
            f"where it is served."
        )


def read(found: Artifact, settings: Settings) -> tuple[Any, str, dict[str, str]]:
    """-> the estimator, the file's sha256, and the version skew that scikit-learn finds. Raises
    StartupError."""
    from sklearn.exceptions import InconsistentVersionWarning

    with _opened(found.file) as file, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)  # what was hashed is what is loaded
        if found.manifest:
            found.manifest.verify(found.file.name, digest)
        try:
            estimator = _loaded(file, found, settings)
        except StartupError:
            raise
        except BaseException as error:  # a pickle can raise anything
            raise StartupError(
                load_failure.sentence(error, found.file, saved_versions(found))
            ) from None
    older = [
        w.message.original_sklearn_version
        for w in caught
        if isinstance(w.message, InconsistentVersionWarning)
    ]
    return estimator, digest, version_skew({"scikit-learn": older[0]} if older else {})


def _opened(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise StartupError(
            f"{path} can't be read ({error.strerror}); upload it again, or correct its rights."
        ) from None


def _loaded(file: IO[bytes], found: Artifact, settings: Settings) -> Any:
    path = found.file
    if path.suffix.lower() == ".skops":
        return _without_pickle(file.read(), path.name, settings.trusted_types)
    if not settings.scoring_allow_pickle:
        raise StartupError(
            f"{path.name} is a pickle, which SCORING_ALLOW_PICKLE=false forbids; save it with "
            f"skops.io.dump() as a "
            ".skops file, or remove the setting."
        )
    own_modules.make_importable(found)
    return joblib.load(file)


def _without_pickle(data: bytes, name: str, trusted: frozenset[str]) -> Any:
    import skops.io

    types = set(skops.io.get_untrusted_types(data=data))
    if types - trusted:
        raise UntrustedTypes(name, sorted(types - trusted))
    return skops.io.loads(data, trusted=sorted(types))


def saved_versions(found: Artifact) -> dict[str, str]:
    """As far as they are known without loading it."""
    if found.manifest:
        return found.manifest.versions
    if found.mlflow and found.mlflow.sklearn_version:
        return {"scikit-learn": found.mlflow.sklearn_version}
    return {}
