"""Where the reason of a failed start is left for whoever started the process.

Kubernetes gives each container a file for it and shows what stands there: ``kubectl describe pod``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress

VARIABLE, KUBERNETES = "SCORING_TERMINATION_LOG", "/dev/termination-log"


def write(sentence: str, environ: Mapping[str, str]) -> None:
    """On a line of the file that the environment names, if there is one. The settings themselves
    may be wrong."""
    with suppress(OSError):
        file = os.open(
            environ.get(VARIABLE) or KUBERNETES, os.O_WRONLY | os.O_TRUNC | os.O_NONBLOCK
        )
        try:
            os.write(file, f"{' '.join(sentence.split())}\n".encode(errors="replace"))
        finally:
            os.close(file)
