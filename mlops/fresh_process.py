"""Loads an artifact as the service does, in a process that knows nothing of the user's folders."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from azureml_scoring.errors import StartupError
from mlops import SERVING

LOAD = """
import sys
from pathlib import Path
from azureml_scoring.errors import StartupError
from azureml_scoring.models.loading import load
from azureml_scoring.settings import Settings
try:
    load(
        Settings(
            scoring_model_path=Path(sys.argv[1]),
            scoring_skops_trusted_types=sys.argv[2],
            scoring_estimator="start",
        )
    )
except StartupError as error:
    print(error)
    sys.exit(1)
"""


def check_loads(artifact: Path, trust: Collection[str]) -> None:
    """Raise StartupError unless the folder alone is enough to load the model and answer."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-P", "-c", LOAD, str(artifact.absolute()), ",".join(trust)],
        env=os.environ | {"PYTHONPATH": str(SERVING)},
        cwd=artifact,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = [*done.stderr.splitlines(), *done.stdout.splitlines()]
        said = lines[-1] if lines else f"it ended with status {done.returncode}."
        raise StartupError(
            f"The artifact alone is not enough to load the model; add --code and the folder with "
            f"what is missing: {said}"
        )
