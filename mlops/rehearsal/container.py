"""``python -m mlops.rehearsal.container PARENT COMMAND...`` runs a command as the first process of
a container.

When it ends, or PARENT, the process that started the container, nothing of it is left. SIGTERM is
passed on, so that it may drain.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence


def main(parent: int, command: Sequence[str]) -> None:
    """Run ``command`` until it or ``parent`` ends, then kill our process group, us included."""
    process = subprocess.Popen(command)  # noqa: S603
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while process.poll() is None and os.getppid() == parent:
        time.sleep(0.05)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
