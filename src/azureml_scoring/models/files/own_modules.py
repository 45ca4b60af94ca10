"""Lets a model import its author's modules: from beside score.py, from PYTHONPATH, from the folder
code/ that packaging or MLflow wrote and, if it is not packaged, from its own folder."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
)
from pathlib import Path
from typing import Any

from azureml_scoring.errors import StartupError
from azureml_scoring.models.files.artifact import Artifact
from azureml_scoring.models.files.manifest import REPACKAGE, Manifest

FOLDER = "code"
"""Holds the modules of a packaged model."""

SERVER_FOLDER = "azureml_inference_server_http/server"
"""azmlinfsrv puts this folder on sys.path, where its utils.py and config.py would hide the
author's. It imports them as parts of its package itself."""


def verify(artifact: Artifact) -> None:
    """Compare a packaged model's code with its manifest. Raises StartupError."""
    if artifact.manifest is None:
        return
    root = artifact.file.parent
    listed = {name for name in artifact.manifest.files if name.startswith(f"{FOLDER}/")}
    for name in sorted(listed):
        _verified(root, name, artifact.manifest)
    for file in _files(root / FOLDER) if listed else ():
        if (name := file.relative_to(root).as_posix()) not in listed:
            raise StartupError(
                f"{name} is not in the manifest, so nothing is loaded; remove it, or if it is part "
                f"of the model's code, {REPACKAGE}."
            )


def make_importable(artifact: Artifact, *, pickled: bool) -> None:
    """Put the model's code on the path, after all others: it replaces no library.

    Without a manifest, whoever can write the code can write the pickle, which runs code too
    (docs/adr/0003). ``pickled``: False for a skops file, which imports nothing that lies beside
    it undescribed.
    """
    path = [entry for entry in sys.path if not entry.endswith(SERVER_FOLDER)]
    folder = artifact.file.parent.absolute()
    if artifact.manifest:
        code = folder / FOLDER
        if any(name.startswith(f"{FOLDER}/") for name in artifact.manifest.files):
            import_only_verified(code, folder, artifact.manifest)
            path.append(str(code))
    else:
        if artifact.mlflow and artifact.mlflow.code:
            path.append(str(artifact.mlflow.code.absolute()))
        if pickled:
            path.append(str(folder))
    sys.path[:] = dict.fromkeys(path)


def import_only_verified(code: Path, artifact: Path, manifest: Manifest) -> None:
    """Compare each module below ``code`` with the manifest of the folder ``artifact`` whenever it
    is imported. Bytecode that lies there is not read; compiled extensions are not compared again.
    """
    code, artifact = code.resolve(), artifact.resolve()

    class VerifiedLoader(SourceFileLoader):
        def get_data(self, path: str) -> bytes:
            file = Path(path)
            name = (file.parent.resolve() / file.name).relative_to(artifact).as_posix()
            return _verified(artifact, name, manifest)

        def path_stats(self, path: Any) -> Mapping[str, Any]:
            raise OSError  # so importlib neither reads nor writes __pycache__

    find = FileFinder.path_hook(
        (ExtensionFileLoader, EXTENSION_SUFFIXES), (VerifiedLoader, [".py"])
    )

    def hook(path: str) -> Any:
        if not Path(path).resolve().is_relative_to(code):
            raise ImportError
        return find(path)

    sys.path_hooks.insert(0, hook)
    for path in [*sys.path_importer_cache]:
        if Path(path).resolve().is_relative_to(code):
            del sys.path_importer_cache[path]


def _verified(root: Path, name: str, manifest: Manifest) -> bytes:
    """Return the bytes of a file that is as the manifest says. Raises StartupError."""
    try:
        data = (root / name).read_bytes()
    except OSError as error:
        raise StartupError(
            f"{name}, which the manifest names, can't be read ({error.strerror}); upload the "
            f"artifact folder again."
        ) from None
    manifest.verify(name, hashlib.sha256(data).hexdigest())
    return data


def _files(folder: Path) -> Iterator[Path]:
    """Yield files, and links to folders, below a folder.

    Without __pycache__: processes that the model starts write one, and it is never read here.
    """
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            if path.name != "__pycache__":
                yield from _files(path)
        else:
            yield path
