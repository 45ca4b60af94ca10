"""The files that the worker processes of one server map into memory: private to their user, with
their room reserved."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from pathlib import Path

from azureml_scoring import log
from azureml_scoring.errors import StartupError

FALLBACK_FOLDERS = (Path("/dev/shm"), Path("/var/tmp"))  # noqa: S108 files are opened with care
"""Tried when the temporary folder is full."""


def process_born(pid: int) -> int:
    """Return when a process started, in clock ticks since boot, or 0 if there is none. It tells a
    process from a later one with the same pid."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return 0 if fields[0] == "Z" else int(fields[19])
    except FileNotFoundError:
        if os.path.isdir("/proc/self"):
            return 0
    try:  # without /proc, as on macOS, all we can see is that it lives
        os.kill(pid, 0)
    except ProcessLookupError:
        return 0
    except PermissionError:
        pass
    return 1


def name_of(server_pid: int) -> str:
    """Return a name for a server's files, unique even if containers that share a volume all run it
    as process 1."""
    return f"{_ours()}{server_pid}-{process_born(server_pid)}"


def open_shared(name: str, size: int) -> int:
    """Open a file with room for all of its bytes, in the temporary folder or, if that is full, in
    one of FALLBACK_FOLDERS.

    Files of servers that are gone are removed. Raises StartupError.
    """
    temporary = Path(tempfile.gettempdir())
    folders = [temporary, *(folder for folder in FALLBACK_FOLDERS if os.access(folder, os.W_OK))]
    for folder in folders:
        _remove_old(folder)
    chosen_by_others = [folder for folder in folders if (folder / name).exists()]
    for folder in chosen_by_others or folders:
        file = open_own(folder / name, size)
        if _reserve(file, size):
            if folder != temporary:
                log.event(f"{temporary} is full, so the counters are in {folder}.", logging.WARNING)
            return file
        os.close(file)
        (folder / name).unlink(missing_ok=True)
    raise StartupError(
        f"{temporary} has no room for the counters; set TMPDIR to a folder with {size:,} free "
        f"bytes."
    )


def open_own(path: Path, size: int) -> int:
    """Open a private file of our own, not a link: another user must not choose what we map. It has
    its size, but its room is not reserved yet."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartupError(
            f"{path} can't be opened ({error.strerror}); set TMPDIR to a folder that the service "
            f"can write to."
        ) from None
    if os.fstat(file).st_uid != os.getuid():
        os.close(file)
        raise StartupError(
            f"{path} belongs to another user; remove it or set TMPDIR to a folder of your own."
        )
    os.ftruncate(file, size)
    return file


def _reserve(file: int, size: int) -> bool:
    """Reserve room for all of the file; False if there is none.

    Without it a write to the map would end the process (SIGBUS), and so would a read if the folder
    is in memory (tmpfs).
    """
    try:
        os.posix_fallocate(file, 0, size)
    except AttributeError:  # macOS
        os.pwrite(file, os.pread(file, size, 0), 0)
    except OSError:
        return False
    return True


def _remove_old(folder: Path) -> None:
    ours = _ours()
    for path in folder.glob(f"{ours}*"):
        # Another user may have made the file, and chosen its name.
        with contextlib.suppress(ValueError, OSError):
            pid, born, *_ = path.name.removeprefix(ours).split("-")
            server_is_gone = process_born(int(pid)) != int(born)
            if server_is_gone:
                path.unlink(missing_ok=True)


def _ours() -> str:
    try:
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except FileNotFoundError:
        namespace = 0
    return f"azureml-scoring-{os.getuid()}-{namespace}-"
