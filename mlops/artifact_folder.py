"""Writes an artifact's folder, whole or not at all, and replaces nothing but an artifact."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from azureml_scoring.errors import StartupError
from azureml_scoring.models.files import signature
from azureml_scoring.models.files.manifest import FILE_NAME, Manifest


def check_out(out: Path, force: bool) -> None:
    """Refuse to replace anything but an artifact folder. Raises StartupError."""
    if out.is_symlink():
        raise StartupError(
            f"{out} is a symbolic link, which is not replaced; name the folder that it leads to."
        )
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not force:
        raise StartupError(
            f"{out} exists and is not empty; name another folder or give --force to replace it."
        )
    if not _is_artifact(out):
        raise StartupError(
            f"{out} holds more than an artifact, so it is not replaced; name another folder."
        )


def _is_artifact(folder: Path) -> bool:
    """Tell whether ``folder`` holds an artifact and nothing more. Raises StartupError if its
    manifest can't be read."""
    if not (folder / FILE_NAME).is_file():
        return False
    try:
        written = {FILE_NAME, signature.FILE_NAME, *Manifest.read(folder).files}
    except StartupError:
        raise StartupError(
            f"{folder} has a manifest that can't be read, so it is not replaced; move it away, or "
            f"name another folder."
        ) from None
    parents = {parent for name in written for parent in Path(name).parents}
    return all(
        path.relative_to(folder) in parents
        if path.is_dir() and not path.is_symlink()
        else path.relative_to(folder).as_posix() in written and not path.is_symlink()
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts
    )


def write(
    manifest: Manifest,
    sources: Mapping[str, Path],
    compiled: Mapping[str, bytes],
    out: Path,
    check: Callable[[Path], None],
) -> None:
    """Write beside ``out`` first, then rename, so that nobody sees half an artifact.

    sources: name in the manifest -> file to copy.
    compiled: name in the manifest -> what the file holds.
    check: raises StartupError if what was written must not be kept.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        folder = Path(scratch) / "artifact"
        folder.mkdir()
        for name, file in sources.items():
            copy = folder / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
            if sha256_of(copy) != manifest.files[name]:
                raise StartupError(f"{file} changed while it was packaged; run this again.")
        for name, data in compiled.items():
            (folder / name).write_bytes(data)
        manifest.write(folder)
        check(folder)
        replaced = Path(scratch) / "replaced"
        try:
            if out.exists():
                out.rename(replaced)
            folder.rename(out)
        except BaseException:
            if replaced.exists() and not out.exists():  # keep the old one after an interrupt
                replaced.rename(out)
            raise


def sha256_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
