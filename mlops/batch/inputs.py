"""Finds the input files of a job, and those that an earlier run has not done."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from azureml_scoring.batch.files import READERS
from azureml_scoring.batch.job import output_name
from azureml_scoring.batch.outputs import TEMPORARY, Form, predictions_path, summary_path
from azureml_scoring.errors import StartupError
from mlops import output

REPORT = "report.json"

Summary = dict[str, Any]
"""What ``Job.score`` writes of a file."""


@dataclass(frozen=True)
class InputFile:
    """``name``: its path below the folder of all inputs, by which its outputs are called."""

    path: Path
    name: str
    size: int


def find(inputs: Sequence[Path], out: Path) -> tuple[Path, list[InputFile]]:
    """Return the folder that holds all inputs, and the files: those named, and in folders those
    whose form is known. Raises StartupError."""
    files: dict[Path, None] = {}
    for given in inputs:
        if given.is_dir():
            files |= dict.fromkeys(_inside(given.resolve(), out.resolve()))
        elif given.suffix.lower() in READERS:
            files[given.resolve()] = None
        else:
            raise StartupError(
                f"{given} is of no form that can be read; name files that end in "
                f"{', '.join(READERS)}."
            )
    if not files:
        raise StartupError(
            f"There is no file that ends in {', '.join(READERS)}; name other files or folders."
        )
    named = [path.resolve() if path.is_dir() else path.resolve().parent for path in inputs]
    root = Path(os.path.commonpath(named))
    return root, [InputFile(path, output_name(path, root), path.stat().st_size) for path in files]


def _inside(folder: Path, out: Path) -> Iterable[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        known = path.suffix.lower() in READERS and path.is_file()
        if known and not hidden and not path.is_relative_to(out):
            yield path


def summary(out: Path, name: str) -> Summary | None:
    """Return the summary of an input, or None if there is none that is whole."""
    try:
        read: Summary = orjson.loads(summary_path(out, name).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return read


def claim(out: Path) -> None:
    """Make the folder for a job's files. Raises StartupError if it holds others."""
    if out.is_dir() and any(out.iterdir()) and not os.path.lexists(out / REPORT):
        raise StartupError(f"{out} holds files that are not of a batch job; name another folder.")
    write_report(out, {})


def write_report(out: Path, report: dict[str, Any]) -> None:
    marked = {"written_by": output.MARK} | report
    output.write(out / REPORT, orjson.dumps(marked, option=orjson.OPT_INDENT_2))


def remove_temporary(out: Path) -> None:
    """Remove what processes were writing when they were killed."""
    for path in out.rglob(f".*{TEMPORARY}"):
        path.unlink(missing_ok=True)


def is_done(file: InputFile, out: Path, job: str, form: Form) -> bool:
    """True if an earlier run of the same job has scored this content of the file."""
    earlier = summary(out, file.name)
    return (
        earlier is not None
        and earlier["failure"] is None
        and earlier["job"] == job
        and earlier["source_size"] == file.size
        and earlier["source_modified_ns"] == file.path.stat().st_mtime_ns
        and predictions_path(out, file.name, form).is_file()
    )
