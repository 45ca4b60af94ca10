"""Several runs of checkov in processes forked from one that has imported it, which takes longer
than a run. Run as a script by checkov's own Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PYTHON = Path(__file__).parents[2] / "build" / "checkov" / "bin" / "python"


def reports(runs: Mapping[str, Sequence[str]], folder: Path) -> dict[str, dict[str, Any]]:
    """Return the report of each run, by its name. ``runs``: their arguments. ``folder``: for the
    reports."""
    files = {name: str(folder / name) for name in runs}
    options = ["--output", "json", "--skip-download"]
    orders = [[[*words, *options], files[name]] for name, words in runs.items()]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([PYTHON, __file__, json.dumps(orders)], check=True, env=environment)
    return {name: json.loads(Path(file).read_text()) for name, file in files.items()}


def main() -> None:
    del sys.path[0]  # the folder of this script
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=SyntaxWarning)
        from checkov.main import Checkov
    children = []
    for words, report in json.loads(sys.argv[1]):
        if child := os.fork():
            children.append(child)
        else:
            os.dup2(os.open(report, os.O_WRONLY | os.O_CREAT, 0o644), sys.stdout.fileno())
            sys.exit(Checkov(words).run())
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
