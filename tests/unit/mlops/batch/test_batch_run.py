"""Retries, restarts and limits of a job, with processes that are played."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from azureml_scoring.errors import StartupError
from mlops.batch import run, worker
from mlops.batch.inputs import InputFile, find
from mlops.batch.run import Outcome, Run, RunSettings

FILES = [InputFile(Path(name), name, 1) for name in "abcd"]


class Played:
    """A process that answers by a script: for each mini-batch what ``answer`` returns of its files,
    None if it dies. ``starts``: what it says first, the last one again and again."""

    starts: list[Any]
    answer: Any
    born = 0

    def __init__(self, *_: object) -> None:
        cls = type(self)
        cls.born += 1
        self.ready, self.failures, self.files, self.busy_s = False, 0, (), 0.0
        self._says = [cls.starts.pop(0) if len(cls.starts) > 1 else cls.starts[0]]

    def send(self, files: Any) -> None:
        self.files = files
        self._says.append(type(self).answer([str(file.path) for file in files]))
        self.busy_s = 5.0 if self._says[-1] == "late" else 0.0

    def receive(self) -> Any:
        return self._says.pop(0)

    @property
    def speaks(self) -> bool:
        return bool(self._says) and self._says[0] != "late"

    def end(self) -> None:
        pass


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Any:
    kind = type("Kind", (Played,), {"starts": [(worker.READY, "key")]})
    monkeypatch.setattr(run, "WorkerProcess", kind)
    monkeypatch.setattr(run, "wait", lambda processes, _: [one for one in processes if one.speaks])
    return kind


def go(skip: Any = lambda file, job: False, **settings: Any) -> Outcome:
    named = RunSettings(**{"processes": 1, "timeout_s": 1.0} | settings)
    return Run(FILES, named, {}, Path("logs"), skip, lambda *_: None)()


def done(files: list[str]) -> Any:
    return worker.DONE, files


def test_a_file_that_is_not_returned_has_failed(played: Any):
    """It is not tried again, and one more than the threshold ends the job."""
    played.answer = lambda files: done([file for file in files if file == "c"])
    outcome = go(error_threshold=9)
    assert (sorted(outcome.failed), outcome.retries, outcome.stopped) == (["a", "b", "d"], 0, False)
    outcome = go(error_threshold=1)
    assert (sorted(outcome.failed), outcome.stopped) == (["a", "b"], True)


@pytest.mark.parametrize("trouble", [None, "late", (worker.FAILED, "OSError")])
def test_a_mini_batch_in_trouble_is_tried_again(played: Any, trouble: Any):
    """Its process may die, be late or raise: after so many retries its files have failed."""
    tries: dict[str, int] = {}

    def answer(files: list[str]) -> Any:
        tries[files[0]] = tries.get(files[0], 0) + 1
        well = files == ["a"] or (files == ["b"] and tries["b"] == 3)
        return done(files) if well else trouble

    played.answer = answer
    outcome = go(max_retries=2, error_threshold=9)
    assert tries == {"a": 1, "b": 3, "c": 3, "d": 3}
    assert (sorted(outcome.failed), outcome.retries) == (["c", "d"], 6)


def test_a_process_of_many_failures_is_replaced(played: Any):
    """As the service does after ten failed mini-batches: a new one loads the model again."""
    failures = iter(range(11))
    played.answer = lambda files: (
        done(files) if next(failures, None) is None else (worker.FAILED, "OSError")
    )
    outcome = go(max_retries=10)
    assert (outcome.failed, outcome.retries, played.born) == ({}, 11, 2)


def test_a_script_that_does_not_start_ends_the_job(played: Any):
    """Whether it says why, or its process dies again and again."""
    played.starts = [(worker.NO_START, "There is no model.")]
    with pytest.raises(StartupError, match=r"There is no model\."):
        go()
    played.starts = [None]
    with pytest.raises(StartupError, match="3 processes in a row ended"):
        go()


def test_what_is_done_is_left_out(played: Any):
    """The script tells the job's key, which knows the model and the settings."""
    seen: list[str] = []
    played.answer = lambda files: seen.extend(files) or done(files)
    go(skip=lambda file, job: job == "key" and file.name in "ab", mini_batch_size=2)
    assert seen == ["c", "d"]


def test_inputs_are_found_by_the_end_of_their_names(tmp_path: Path):
    """In folders the others are left; outputs, hidden files and folders are no inputs."""
    for name in ("in/x.csv", "in/deep/y.PARQUET", "in/notes.txt", "in/.x/z.csv", "in/out/o.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    root, files = find([tmp_path / "in"], tmp_path / "in" / "out")
    assert root == tmp_path / "in"
    assert [file.name for file in files] == ["deep/y.PARQUET", "x.csv"]
    root, files = find([tmp_path / "in" / "x.csv"], tmp_path / "out")
    assert [file.name for file in files] == ["x.csv"]
    with pytest.raises(StartupError, match="is of no form that can be read"):
        find([tmp_path / "in" / "notes.txt"], tmp_path / "out")
