"""Writes an artifact's folder, whole or not at all, and replaces nothing but an artifact."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from azureml_scoring.errors import StartupError
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
        written = {FILE_NAME, *Manifest.read(folder).files}
    except StartupError:
        raise StartupError(
            f"{folder} has a manifest that can't be read, so it is not replaced; move it away, or "
            f"name another folder."
        ) from None
    return all(
        path.name in written and path.is_file() and not path.is_symlink()
        for path in folder.iterdir()
    )


def write(manifest: Manifest, file: Path, compiled: dict[str, bytes], out: Path) -> None:
    """Write the model's file, its compiled files and the manifest.

    Write beside ``out`` first, then rename, so that nobody sees half an artifact."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        folder = Path(scratch) / "artifact"
        folder.mkdir()
        shutil.copyfile(file, folder / file.name)
        with (folder / file.name).open("rb") as copied:
            if hashlib.file_digest(copied, "sha256").hexdigest() != manifest.files[file.name]:
                raise StartupError(f"{file} changed while it was packaged; run this again.")
        for name, data in compiled.items():
            (folder / name).write_bytes(data)
        manifest.write(folder)
        replaced = Path(scratch) / "replaced"
        try:
            if out.exists():
                out.rename(replaced)
            folder.rename(out)
        except BaseException:
            if replaced.exists() and not out.exists():  # keep the old one after an interrupt
                replaced.rename(out)
            raise
