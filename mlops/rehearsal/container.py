"""``python -m mlops.rehearsal.container COMMAND...`` runs a command as the first process of a container.

When it ends, or whoever started the container, nothing of it is left. SIGTERM is passed on, so that it may drain.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence


def main(command: Sequence[str]) -> None:
    """Needs a process group of its own, which it ends with itself."""
    parent = os.getppid()
    process = subprocess.Popen(command)  # noqa: S603
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while process.poll() is None and os.getppid() == parent:
        time.sleep(0.05)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
