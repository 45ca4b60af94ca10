"""Writes the files of commands. No command overwrites a file that it did not write.

An existing file is replaced only if its first bytes say that we wrote it: by our mark, or by the
header of our table. It is replaced at once, so that an interrupted command leaves the old one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from azureml_scoring.errors import StartupError

MARK = "Written by mlops"
HEAD_BYTES = 4096

Known = Callable[[bytes], bool]
"""Tells from the first bytes of a file whether we wrote it."""


def marked(head: bytes) -> bool:
    """Tell whether our mark is in ``head``."""
    return MARK.encode() in head


def table(header: bytes) -> Known:
    """Return a test for our CSV with this ``header``: a CSV has no place for a mark."""
    return lambda head: head.splitlines()[:1] == [header]


def seen_by_the_command(_: bytes) -> bool:
    """Accept any file: the command itself has looked at what it holds."""
    return True


def check(file: Path, known: Known = marked) -> None:
    """Refuse a file that must not be overwritten. Raises StartupError, and OSError where it can't
    be looked at."""
    if file.is_symlink():
        raise StartupError(
            f"{file} is a symbolic link, which is not written through; "
            "name the file that it leads to."
        )
    if not file.exists():
        return
    if not file.is_file():
        raise StartupError(f"{file} is not a file; move it away, or name another place.")
    with file.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
    if head and not known(head):
        raise StartupError(
            f"{file} exists and mlops did not write it; move it away, or name another place."
        )


def write(file: Path, content: str | bytes, known: Known = marked) -> None:
    """Write or replace ``file`` at once. Raises StartupError where it must not be overwritten, and
    OSError."""
    check(file, known)
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".mlops-") as scratch:
        new = Path(scratch) / file.name
        new.write_bytes(content.encode() if isinstance(content, str) else content)
        if file.exists():
            shutil.copymode(file, new)
        os.replace(new, file)


def open_log(file: Path) -> BinaryIO:
    """Open a new log, which the caller closes. Raises StartupError and OSError as ``write``."""
    check(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    log = file.open("wb")
    log.write(f"{MARK}\n".encode())
    log.flush()
    return log
