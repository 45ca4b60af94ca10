"""A model's file: verified before anything is unpickled, and what is wrong with it in one sentence."""

from __future__ import annotations

import hashlib
import warnings
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

import joblib

from artifact import Artifact
from errors import StartupError
from manifest import version_skew


def read(found: Artifact, *, trust_types: bool = False) -> tuple[Any, str, dict[str, str]]:
    """-> the estimator, the file's sha256, and the version skew that scikit-learn finds. Raises StartupError."""
    from sklearn.exceptions import InconsistentVersionWarning

    with _opened(found.file) as file, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)  # what was hashed is what is loaded
        if found.manifest:
            found.manifest.verify(found.file.name, digest)
        try:
            estimator = _unpickle(file, found, trust_types or found.manifest is not None)
        except StartupError:
            raise
        except ModuleNotFoundError as error:
            raise StartupError(
                f"{found.file.name} needs the Python module {error.name}, which is not installed; add it to the "
                "environment, or put its source beside score.py."
            ) from None
        except AttributeError as error:
            if "__main__" not in str(error):
                raise StartupError(f"{found.file.name} can't be loaded ({error}); {_install(found)}") from None
            raise StartupError(
                f"{found.file.name} needs a class of the script that it was trained in ({error}); put it into a module "
                "beside score.py, import it from there when training, and save the model again."
            ) from None
        except BaseException as error:  # a pickle can raise anything
            raise StartupError(
                f"{found.file.name} can't be loaded ({type(error).__name__}: {error}); {_install(found)}"
            ) from None
    older = [w.message.original_sklearn_version for w in caught if isinstance(w.message, InconsistentVersionWarning)]
    return estimator, digest, version_skew({"scikit-learn": older[0]} if older else {})


def _install(found: Artifact) -> str:
    saved = ", ".join(f"{package} {version}" for package, version in saved_versions(found).items())
    return f"is it a scikit-learn model? If so install {saved or 'the versions it was saved with'}."


def _opened(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise StartupError(
            f"{path} can't be read ({error.strerror}); upload it again, or correct its rights."
        ) from None


def _unpickle(file: IO[bytes], found: Artifact, trust_types: bool) -> Any:
    if found.file.suffix != ".skops":
        return joblib.load(file)
    import skops.io

    data = file.read()
    untrusted = set(skops.io.get_untrusted_types(data=data))
    trusted = untrusted if trust_types else untrusted & set(found.mlflow.trusted_types if found.mlflow else ())
    if untrusted - trusted:
        raise StartupError(
            f"{found.file.name} holds types that skops does not trust ({', '.join(sorted(untrusted - trusted))}); "
            "if you do, package it with `mlops package`."
        )
    return skops.io.loads(data, trusted=sorted(trusted))


def saved_versions(found: Artifact) -> dict[str, str]:
    if found.manifest:
        return found.manifest.versions
    if found.mlflow and found.mlflow.sklearn_version:
        return {"scikit-learn": found.mlflow.sklearn_version}
    return {}
