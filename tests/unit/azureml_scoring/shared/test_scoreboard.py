import errno
import mmap
import multiprocessing
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from azureml_scoring.errors import StartupError
from azureml_scoring.shared import shared_file
from azureml_scoring.shared.scoreboard import Scoreboard, WorkerPhase
from azureml_scoring.shared.shared_file import process_born
from places import SRC

FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def own_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def in_child(work: object) -> None:
    child = FORK.Process(target=work)
    child.start()
    child.join()
    assert child.exitcode == 0


def worker(*, requests: int, in_flight: int = 0) -> None:
    board = Scoreboard(os.getppid())
    board.mine.measures.outcomes[0] += requests
    board.mine.in_flight = in_flight


def totals(board: Scoreboard) -> tuple[int, int]:
    return sum(row.measures.requests for row in board.rows()), sum(
        row.measures.service_errors for row in board.rows()
    )


def test_counts_are_summed_over_processes_and_outlive_them():
    """A worker that dies takes no counts with it."""
    board = Scoreboard(os.getpid())
    board.mine.measures.outcomes[0] += 1
    in_child(lambda: worker(requests=10))
    assert totals(board) == (11, 0)
    assert [row.pid for row in board.workers()] == [os.getpid()]


@pytest.mark.slow
def test_a_new_worker_goes_on_with_a_dead_ones_row():
    """However often workers are replaced, the board does not fill up."""
    board = Scoreboard(os.getpid())
    in_child(lambda: worker(requests=10))
    rows = len(list(board.rows()))
    for _ in range(3):
        in_child(lambda: worker(requests=10))
    assert totals(board) == (40, 0)
    assert len(list(board.rows())) == rows


def test_requests_that_died_with_their_worker_count_as_errors_of_ours():
    """Their clients got no answer, and nobody else could count them."""
    board = Scoreboard(os.getpid())
    in_child(lambda: worker(requests=10, in_flight=2))
    in_child(lambda: worker(requests=0))
    assert totals(board) == (12, 2)


def test_another_server_has_a_board_of_its_own():
    """The counts of two servers on one machine are not added up."""
    one, other = Scoreboard(os.getpid()), Scoreboard(os.getppid())
    one.mine.measures.outcomes[0] += 1
    assert totals(other) == (0, 0)
    assert other.started_at > 0


def test_a_fork_gets_a_row_of_its_own():
    """Under WORKER_PRELOAD the board is made before the workers are."""
    board = Scoreboard(os.getpid())
    board.mine.phase = WorkerPhase.READY

    def work() -> None:
        assert board.mine.pid == os.getpid()
        assert board.mine.phase == WorkerPhase.READY
        assert [row.pid for row in board.workers()] == [
            os.getpid()
        ]  # the master answers no requests
        board.mine.measures.outcomes[0] += 5

    in_child(work)
    assert (totals(board), board.mine.measures.requests) == ((5, 0), 0)


def test_the_board_of_a_server_that_is_gone_is_removed(own_tmp: Path):
    """Starts leave nothing behind in the temporary folder."""
    in_child(lambda: Scoreboard(os.getpid()))
    assert len(list(own_tmp.iterdir())) == 1
    Scoreboard(os.getpid())
    assert len(list(own_tmp.iterdir())) == 1


def test_the_board_is_private(own_tmp: Path):
    """Other users can neither read nor write it."""
    Scoreboard(os.getpid())
    (path,) = own_tmp.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_in_its_place_is_not_followed(own_tmp: Path):
    """Another user can't choose which file is written."""
    Scoreboard(os.getpid())
    (path,) = own_tmp.iterdir()
    target = own_tmp / "target"
    path.rename(target)
    path.symlink_to(target)
    with pytest.raises(StartupError, match="TMPDIR"):
        Scoreboard(os.getpid())


def test_no_writable_temporary_folder_says_what_to_do(
    own_tmp: Path, monkeypatch: pytest.MonkeyPatch
):
    """A container may have a read-only file system and no /tmp."""
    monkeypatch.setattr(tempfile, "tempdir", str(own_tmp / "missing"))
    with pytest.raises(StartupError, match="set TMPDIR to a folder that the service can write to"):
        Scoreboard(os.getpid())


@pytest.mark.parametrize("name", ["", "x", "1", "1-x", "0-0"])
def test_what_others_have_put_there_keeps_no_server_from_starting(own_tmp: Path, name: str):
    """Files may have any name, and may be impossible to remove."""
    Scoreboard(os.getpid())
    (path,) = own_tmp.iterdir()
    start, _ = path.name.rsplit(f"{os.getpid()}-", 1)
    (own_tmp / f"{start}{name}").mkdir()
    Scoreboard(os.getpid())


class Disk:
    """A disk without room for more in the folders in ``full``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full: list[Path] = []
        self._reserve = os.posix_fallocate
        monkeypatch.setattr("os.posix_fallocate", self.reserve)

    def reserve(self, file: int, start: int, size: int) -> None:
        if Path(os.readlink(f"/proc/self/fd/{file}")).parent in self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._reserve(file, start, size)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.fixture
def other(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only other folder that is tried."""
    folder = tmp_path_factory.mktemp("other")
    monkeypatch.setattr(shared_file, "FALLBACK_FOLDERS", (folder, folder / "missing"))
    return folder


def test_all_counters_have_their_place_on_the_disk(own_tmp: Path):
    """The rows of other workers have room too: reading them on a full disk in memory would end the
    process."""
    board = Scoreboard(os.getpid())
    board.beside("drift", 1000)
    for path in own_tmp.iterdir():
        assert path.stat().st_blocks * 512 >= path.stat().st_size


def test_where_the_temporary_folder_is_full_the_counters_are_elsewhere(
    own_tmp: Path, other: Path, disk: Disk, caplog: pytest.LogCaptureFixture
):
    """The log says so. All workers of a server share them there, even one that starts when there is
    room again."""
    disk.full = [own_tmp]
    board = Scoreboard(os.getpid())
    assert f"{own_tmp} is full, so the counters are in {other}." in caplog.text
    disk.full = []
    in_child(lambda: worker(requests=10))
    assert totals(board) == (10, 0)
    assert list(own_tmp.iterdir()) == []
    board.beside("drift", 10)
    in_child(lambda: Scoreboard(os.getpid()))
    assert len(list(other.iterdir())) == 1


def test_where_nothing_has_room_a_sentence_says_what_to_do(own_tmp: Path, other: Path, disk: Disk):
    """No file is left behind."""
    board = Scoreboard(os.getpid())
    disk.full = [own_tmp, other]
    with pytest.raises(
        StartupError,
        match=r"no room for the counters; set TMPDIR to a folder with \d+,\d+ free bytes",
    ):
        Scoreboard(os.getppid())
    with pytest.raises(StartupError, match="no room"):
        board.beside("more", 1)
    assert len(list(own_tmp.iterdir())) == 1


ON_A_SMALL_DISK = """
mount -t tmpfs -o size=200k none "$1" || exit 77
TMPDIR="$1" "$2" -c '
import os, sys
sys.path.insert(0, sys.argv[1])
from azureml_scoring.shared.scoreboard import Scoreboard
board = Scoreboard(os.getpid())
board.mine.non_finite += 1
print(sum(row.non_finite for row in board._board.rows))
' "$3"
"""


def test_a_small_disk_in_memory_kills_no_worker(tmp_path: Path):
    """The disk is real, in its own mount namespace, with less room than the counters need."""
    words = ["sh", "-c", ON_A_SMALL_DISK, "sh", tmp_path, sys.executable, SRC]
    command = ["unshare", "--map-root-user", "--mount", *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip(
            f"It needs a mount of its own: run it as root, or allow user namespaces "
            f"({done.stderr.strip()})."
        )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1"), done


def test_counters_of_another_width_take_nothing_away():
    """A model may be packaged again while its server runs."""
    board = Scoreboard(os.getpid())

    def work() -> None:
        counts = mmap.mmap(board.beside("drift", 8000), 8000)
        board.beside("drift", 8)
        assert not any(counts[:])

    in_child(work)


def test_a_number_used_again_is_another_process():
    """A process is known by its id and its start time."""
    assert process_born(os.getpid()) == process_born(os.getpid()) > 0
    assert process_born(2**22 + 1) == 0
