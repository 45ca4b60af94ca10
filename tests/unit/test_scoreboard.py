import errno
import multiprocessing
import os
import stat
import tempfile
from pathlib import Path

import pytest

from errors import StartupError
from scoreboard import Phase, Scoreboard
from shared_file import process_born

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
    return sum(row.measures.requests for row in board.rows()), sum(row.measures.service_errors for row in board.rows())


def test_counts_are_summed_over_processes_and_outlive_them():
    """A worker that dies takes no counts with it."""
    board = Scoreboard(os.getpid())
    board.mine.measures.outcomes[0] += 1
    in_child(lambda: worker(requests=10))
    assert totals(board) == (11, 0)
    assert [row.pid for row in board.workers()] == [os.getpid()]


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
    """Two servers on one machine don't add up."""
    one, other = Scoreboard(os.getpid()), Scoreboard(os.getppid())
    one.mine.measures.outcomes[0] += 1
    assert totals(other) == (0, 0)
    assert other.started_at > 0


def test_a_fork_gets_a_row_of_its_own():
    """Under WORKER_PRELOAD the board is made before the workers are."""
    board = Scoreboard(os.getpid())
    board.mine.phase = Phase.READY

    def work() -> None:
        assert board.mine.pid == os.getpid()
        assert board.mine.phase == Phase.READY
        assert [row.pid for row in board.workers()] == [os.getpid()]  # the master answers no requests
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


def test_no_writable_temporary_folder_says_what_to_do(own_tmp: Path, monkeypatch: pytest.MonkeyPatch):
    """As in a container with a read-only file system and no /tmp."""
    monkeypatch.setattr(tempfile, "tempdir", str(own_tmp / "missing"))
    with pytest.raises(StartupError, match="writable temporary folder by TMPDIR"):
        Scoreboard(os.getpid())


@pytest.mark.parametrize("name", ["", "x", "1", "1-x", "0-0"])
def test_what_others_have_put_there_keeps_no_server_from_starting(own_tmp: Path, name: str):
    """Whatever it is called, and even where it can't be removed."""
    Scoreboard(os.getpid())
    (path,) = own_tmp.iterdir()
    start, _ = path.name.rsplit(f"{os.getpid()}-", 1)
    (own_tmp / f"{start}{name}").mkdir()
    Scoreboard(os.getpid())


def test_counters_have_their_place_on_the_disk(own_tmp: Path, monkeypatch: pytest.MonkeyPatch):
    """Where there is none that is told; a write to the map would end the process."""
    board = Scoreboard(os.getpid())
    board.beside("drift", 1000)
    assert all(path.stat().st_blocks for path in own_tmp.iterdir())

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.pwrite", full)
    for make in (lambda: Scoreboard(os.getpid()), lambda: board.beside("more", 1)):
        with pytest.raises(StartupError, match="No space left on device"):
            make()


def test_counters_of_another_width_take_nothing_away():
    """As those of a model that was packaged anew while its server runs."""
    board = Scoreboard(os.getpid())

    def work() -> None:
        counts = board.beside("drift", 1000)
        board.beside("drift", 1)
        assert not counts.any()

    in_child(work)


def test_a_number_used_again_is_another_process():
    """A process is known by its number and its birth."""
    assert process_born(os.getpid()) == process_born(os.getpid()) > 0
    assert process_born(2**22 + 1) == 0
