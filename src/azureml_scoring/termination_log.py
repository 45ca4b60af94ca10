"""Writes the reason of a failed start to the file that Kubernetes gives each container for it.

``kubectl describe pod`` shows its content.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress

VARIABLE, DEFAULT_PATH = "SCORING_TERMINATION_LOG", "/dev/termination-log"


def write(sentence: str, environ: Mapping[str, str]) -> None:
    """Write one line to the file, if it exists. The environment is read directly, since the
    settings themselves may be wrong."""
    with suppress(OSError):
        file = os.open(
            environ.get(VARIABLE) or DEFAULT_PATH, os.O_WRONLY | os.O_TRUNC | os.O_NONBLOCK
        )
        try:
            os.write(file, f"{' '.join(sentence.split())}\n".encode(errors="replace"))
        finally:
            os.close(file)
