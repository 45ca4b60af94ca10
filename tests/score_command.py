"""Calls `mlops score` with a small CSV."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from mlops.cli import main
from mlops.exit_status import ExitStatus


def score(url: str, file: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["score", "--url", url, *options, str(file)])


def table(folder: Path, rows: int) -> Path:
    path = folder / "rows.csv"
    path.write_text("a,b\n" + "".join(f"{number}.0,1.0\n" for number in range(rows)))
    return path


def refusal(result: Result) -> str:
    """Return the error's sentence, and check that the command failed properly."""
    assert isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code in (ExitStatus.UNUSABLE, ExitStatus.SERVER, ExitStatus.NOT_SIGNED_IN)
    message = result.stderr
    assert message.startswith("Error: ")
    assert message.count("\n") == 1
    assert message.rstrip("\n").isprintable()
    assert len(message) < 2000
    return message
