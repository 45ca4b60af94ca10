"""The files that the worker processes of one server map into memory: found by all, private to their user, with room."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from errors import StartupError


def process_born(pid: int) -> int:
    """When a process started, so that a number used again is not taken for it; 0 where there is none."""
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


def path_of(server_pid: int) -> Path:
    """The name holds what tells servers apart, also in containers that share a volume and all run as process 1.

    Files of servers that are gone are removed.
    """
    try:
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except FileNotFoundError:
        namespace = 0
    ours = f"azureml-scoring-{os.getuid()}-{namespace}-"
    folder = Path(tempfile.gettempdir())
    for path in folder.glob(f"{ours}*"):
        with contextlib.suppress(ValueError, OSError):  # another user may have made it, and chosen its name
            pid, born, *_ = path.name.removeprefix(ours).split("-")
            if process_born(int(pid)) != int(born):  # its server is gone
                path.unlink(missing_ok=True)
    return folder / f"{ours}{server_pid}-{process_born(server_pid)}"


def open_own(path: Path, size: int) -> int:
    """Own, private, not a link: another user must not choose what we map."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartupError(
            f"{path} can't be opened ({error.strerror}); give the service a writable temporary folder by TMPDIR."
        ) from None
    if os.fstat(file).st_uid != os.getuid():
        os.close(file)
        raise StartupError(f"{path} belongs to another user; remove it or set TMPDIR to a folder of your own.")
    os.ftruncate(file, size)
    return file


def reserve(file: int, start: int, size: int) -> None:
    """Have room for what only we write: where the disk is full, writing to the map would end the process (SIGBUS)."""
    try:
        os.pwrite(file, os.pread(file, size, start), start)
    except OSError as error:
        raise StartupError(f"The counters have no room ({error.strerror}); give TMPDIR a folder that has.") from None
