"""Finds the model's file, its name and version, and its description, without loading it."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from azureml_scoring.errors import StartupError
from azureml_scoring.models.files import manifest, mlflow_folder
from azureml_scoring.models.files.file_formats import (
    MODEL_SUFFIXES,
    is_graph,
    may_be_model_file,
    other_format,
)
from azureml_scoring.models.files.manifest import Manifest
from azureml_scoring.models.files.mlflow_folder import MlflowModel
from azureml_scoring.settings import Settings

MAX_LISTED_FILES = 20
"""Files that an error message lists."""

VERSION_PATTERN = re.compile(r"v?\d+([.\-]\d+)*")
GUID_PATTERN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The name that Azure ML gives to an unregistered model."""


@dataclass(frozen=True)
class Artifact:
    """A model file, not yet loaded, with the manifest or MLflow description beside it, if any."""

    file: Path
    name: str
    version: str
    manifest: Manifest | None = None
    mlflow: MlflowModel | None = None


def find(settings: Settings) -> Artifact:
    """Find the one model that the settings name.

    Raises StartupError if there is none or there are several, with a list of files.
    """
    try:
        place = _open(_candidate(settings), settings.scoring_model_key)
    except OSError as error:
        raise StartupError(
            f"{error.filename} can't be read ({error.strerror}); correct its rights or its name."
        ) from None
    if not place.manifest and (kind := other_format(place.file)):
        raise StartupError(f"{place.file} is {kind}.")
    name, version = _from_path(settings.azureml_model_dir)
    packaged = place.manifest
    return Artifact(
        place.file,
        settings.model_name or name or (packaged.model_name if packaged else place.name),
        settings.model_version
        or version
        or (packaged.model_version if packaged else place.version),
        packaged,
        place.mlflow,
    )


def _candidate(settings: Settings) -> Path:
    root, explicit = settings.azureml_model_dir, settings.scoring_model_path
    if explicit is not None:
        path = (root or Path()) / explicit
        if not path.exists():
            raise StartupError(
                f"SCORING_MODEL_PATH names {path}, which does not exist; correct "
                f"it.{_listing(root)}"
            )
        return path
    if root is None:
        raise StartupError("No model was named; set AZUREML_MODEL_DIR to the folder that holds it.")
    if root.is_file():
        return root
    if not root.is_dir():
        raise StartupError(
            f"AZUREML_MODEL_DIR is {root}, which does not exist; set it to where the model is."
        )
    candidates = _candidates(root) or [
        path for folder in _folders(root) for path in _candidates(folder)
    ]
    if not candidates:
        described = f"{manifest.FILE_NAME} and {mlflow_folder.FILE_NAME}"
        raise StartupError(
            f"No model in {root} or one folder below (looked for {', '.join(MODEL_SUFFIXES)}, "
            f"{described}); put one there or set SCORING_MODEL_PATH.{_others(root)}{_listing(root)}"
        )
    if len(candidates) > 1:
        more = ", ..." if len(candidates) > MAX_LISTED_FILES else ""
        names = ", ".join(str(path.relative_to(root)) for path in candidates[:MAX_LISTED_FILES])
        raise StartupError(
            f"Several models in {root} ({names}{more}); name one of them by SCORING_MODEL_PATH, "
            f"or, if they are parts of one, such as a vectorizer and a classifier, save them "
            f"together as a Pipeline."
        )
    return candidates[0]


def _folders(root: Path) -> list[Path]:
    return [path for path in sorted(root.iterdir()) if path.is_dir()]


def _candidates(folder: Path) -> list[Path]:
    if _is_described(folder):
        return [folder]
    files = sorted(path for path in folder.iterdir() if may_be_model_file(path))
    # A graph beside an estimator was made of it.
    return [path for path in files if not is_graph(path)] or files


def _others(root: Path) -> str:
    """Name the first file that holds a model in another format, as a sentence."""
    files = (
        path
        for folder in (root, *_folders(root))
        for path in sorted(folder.iterdir())
        if path.is_file()
    )
    return next((f" {path.name} is {kind}." for path in files if (kind := other_format(path))), "")


def _is_described(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (manifest.FILE_NAME, mlflow_folder.FILE_NAME))


def _open(path: Path, key: str | None) -> Artifact:
    if path.name in (manifest.FILE_NAME, mlflow_folder.FILE_NAME):
        path = path.parent
    folder = path if path.is_dir() else path.parent
    unnamed = Artifact(path, path.stem, "unknown")
    signed = _signed(folder, key) if key else None
    if signed or (folder / manifest.FILE_NAME).is_file():
        packaged = Manifest.read(folder, signed)
        # A file that the manifest does not list is refused when it is verified.
        file = folder / packaged.model_file if path.is_dir() else path
        return Artifact(file, unnamed.name, unnamed.version, manifest=packaged)
    if (folder / mlflow_folder.FILE_NAME).is_file():
        described = MlflowModel.read(folder)
        if path in (folder, folder / described.model_file):
            return Artifact(
                folder / described.model_file, unnamed.name, unnamed.version, mlflow=described
            )
    if path.is_dir():
        raise StartupError(
            f"{path} is a folder that describes no model; name the model's file, in a service by "
            f"SCORING_MODEL_PATH.{_listing(path)}"
        )
    return unnamed


def _signed(folder: Path, key: str) -> dict[str, str]:
    """Return name -> sha256 by the folder's signature. Raises StartupError."""
    from azureml_scoring.models.files import signature, trusted_signer  # takes a tenth of a second

    return signature.verify(folder, trusted_signer.read(key))


def _from_path(root: Path | None) -> tuple[str | None, str | None]:
    """Read name and version off the path: Azure ML mounts a registered model at
    ``.../<name>/<version>``."""
    if root is not None and root.is_file():
        root = root.parent
    if root is None or len(root.parts) < 3:
        return None, None
    name, version = root.parts[-2:]
    registered = "azureml-models" in root.parts[:-2] or VERSION_PATTERN.fullmatch(version)
    return (name, version) if registered and not GUID_PATTERN.fullmatch(name) else (None, None)


def _listing(root: Path | None) -> str:
    if root is None or not root.is_dir():
        return ""
    files = (path.relative_to(root).as_posix() for path in sorted(root.rglob("*")))
    shown = list(itertools.islice(files, MAX_LISTED_FILES + 1))
    more = ", ..." if len(shown) > MAX_LISTED_FILES else ""
    return f" Found: {', '.join(shown[:MAX_LISTED_FILES]) + more if shown else 'nothing'}."
