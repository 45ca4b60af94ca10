"""Writes the files of commands. No command overwrites a file that mlops did not write.

An existing file is replaced only if its first bytes show that we wrote it: they hold our mark, or
the header of our table. It is replaced atomically, so an interrupted command leaves the old file.
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
"""A test: did we write the file that begins with these bytes?"""


def marked(head: bytes) -> bool:
    """True if our mark is in ``head``."""
    return MARK.encode() in head


def table(header: bytes) -> Known:
    """Return a test for our CSV with this ``header``, since a CSV has no place for a mark."""
    return lambda head: head.splitlines()[:1] == [header]


def seen_by_the_command(_: bytes) -> bool:
    """Accept any file, because the command itself has checked its content."""
    return True


def check(file: Path, known: Known = marked) -> None:
    """Refuse a file that must not be overwritten.

    Raises StartupError, and OSError if the file can't be read.
    """
    if file.is_symlink():
        raise StartupError(
            f"{file} is a symbolic link, which mlops does not follow; name the file it leads to."
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
    """Write or replace ``file`` atomically.

    Raises StartupError if it must not be overwritten, and OSError.
    """
    check(file, known)
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".mlops-") as scratch:
        new = Path(scratch) / file.name
        new.write_bytes(content.encode() if isinstance(content, str) else content)
        if file.exists():
            shutil.copymode(file, new)
        os.replace(new, file)


def open_log(file: Path) -> BinaryIO:
    """Open a new log, which the caller closes. Raises StartupError and OSError, like ``write``."""
    check(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    log = file.open("wb")
    log.write(f"{MARK}\n".encode())
    log.flush()
    return log
