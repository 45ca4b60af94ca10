"""The files that the worker processes of one server map into memory: found by all, private to their
user, with room."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from pathlib import Path

from azureml_scoring import log
from azureml_scoring.errors import StartupError

FOLDERS = (Path("/dev/shm"), Path("/var/tmp"))  # noqa: S108 files in there are opened as carefully
"""Where else there may be room."""


def process_born(pid: int) -> int:
    """When a process started, so that a number used again is not taken for it; 0 where there is
    none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return 0 if fields[0] == "Z" else int(fields[19])
    except FileNotFoundError:
        if os.path.isdir("/proc/self"):
            return 0
    try:  # no /proc, as on macOS: that it lives must do
        os.kill(pid, 0)
    except ProcessLookupError:
        return 0
    except PermissionError:
        pass
    return 1


def name_of(server_pid: int) -> str:
    """What tells servers apart, also those in containers that share a volume and all run as process
    1."""
    return f"{_ours()}{server_pid}-{process_born(server_pid)}"


def open_shared(name: str, size: int) -> int:
    """-> a file in the temporary folder, with room for all of its bytes; where that is full, in one
    of FOLDERS.

    Files of servers that are gone are removed. Raises StartupError.
    """
    temporary = Path(tempfile.gettempdir())
    folders = [temporary, *(folder for folder in FOLDERS if os.access(folder, os.W_OK))]
    for folder in folders:
        _remove_old(folder)
    there = [
        folder for folder in folders if (folder / name).exists()
    ]  # other workers have found room there
    for folder in there or folders:
        file = open_own(folder / name, size)
        if _reserve(file, size):
            if folder != temporary:
                log.event(f"{temporary} is full, so the counters are in {folder}.", logging.WARNING)
            return file
        os.close(file)
        (folder / name).unlink(missing_ok=True)
    raise StartupError(
        f"{temporary} has no room for the counters; give TMPDIR a folder that has {size:,} bytes."
    )


def open_own(path: Path, size: int) -> int:
    """Own, private, not a link: another user must not choose what we map. It has its size, not yet
    the room for it."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartupError(
            f"{path} can't be opened ({error.strerror}); give the service a writable temporary "
            f"folder by TMPDIR."
        ) from None
    if os.fstat(file).st_uid != os.getuid():
        os.close(file)
        raise StartupError(
            f"{path} belongs to another user; remove it or set TMPDIR to a folder of your own."
        )
    os.ftruncate(file, size)
    return file


def _reserve(file: int, size: int) -> bool:
    """Room for all of it: where there is none, a read or write of the map would end the process
    (SIGBUS).

    Also a read, where the folder is in memory (tmpfs).
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
        with contextlib.suppress(
            ValueError, OSError
        ):  # another user may have made it, and chosen its name
            pid, born, *_ = path.name.removeprefix(ours).split("-")
            if process_born(int(pid)) != int(born):  # its server is gone
                path.unlink(missing_ok=True)


def _ours() -> str:
    try:
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except FileNotFoundError:
        namespace = 0
    return f"azureml-scoring-{os.getuid()}-{namespace}-"
