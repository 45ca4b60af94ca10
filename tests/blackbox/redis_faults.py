"""Faults of Redis: how each begins and ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme

import support
from blackbox.redis_proxy import TlsProxy, cut, faithful, garbage, moved, slow, tls_proxy
from blackbox.server import THREADS, Server, serving
from redis_server import Valkey

PASSWORD = "correct-horse"


@dataclass
class Place:
    """A server whose only cache is Redis, reached over TLS through the proxy."""

    server: Server
    redis: Valkey
    proxy: TlsProxy

    @property
    def admin(self) -> Any:
        return self.redis.admin


@contextmanager
def environment(
    folder: Path, authority: trustme.CA, redis: Valkey, *, hidden: bool = False, **env: str
) -> Iterator[Place]:
    """Return the server's environment. ``hidden``: the port is closed at first."""
    certificates = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(certificates))
    with tls_proxy(redis.port, authority) as proxy:
        if hidden:
            proxy.close()
        ours = {
            "REDIS_HOST": "localhost",
            "REDIS_PORT": str(proxy.port),
            "REDIS_PASSWORD": PASSWORD,
            "REDIS_SSL_CA_CERTS": str(certificates),
            "SCORING_CACHE_MAX_BYTES": "0",
            "SCORING_CACHE_MUST_PAY": "false",
        }
        with serving(
            support.scripted(folder / "model", "Steady"), folder, **THREADS, **ours, **env
        ) as server:
            yield Place(server, redis, proxy)


def kill(place: Place) -> None:
    place.redis.kill()
    place.proxy.close()


def revive(place: Place) -> None:
    place.redis.restart()
    place.proxy.open()


def restart(place: Place) -> None:
    kill(place)
    revive(place)


def freeze(place: Place) -> None:
    place.redis.freeze()


def thaw(place: Place) -> None:
    place.redis.thaw()


def answering(answer: Any) -> Callable[[Place], None]:
    def misbehave(place: Place) -> None:
        place.proxy.answer = answer

    return misbehave


def behave(place: Place) -> None:
    place.proxy.answer = faithful


def vanish(place: Place) -> None:
    place.proxy.vanish()


def nothing(place: Place) -> None:
    """Repair nothing: the fault ends by itself."""


def other_password(place: Place) -> None:
    place.redis.set_password("another")
    place.proxy.hang_up()


def right_password(place: Place) -> None:
    place.redis.set_password(PASSWORD)


def other_host(place: Place) -> None:
    place.proxy.present("elsewhere.example")
    place.proxy.hang_up()


def other_authority(place: Place) -> None:
    place.proxy.present("localhost", trustme.CA())
    place.proxy.hang_up()


def right_certificate(place: Place) -> None:
    place.proxy.present("localhost")


def fill(place: Place) -> None:
    place.admin.config_set("maxmemory-policy", "noeviction")
    place.admin.config_set("maxmemory", 1)


def make_room(place: Place) -> None:
    place.admin.config_set("maxmemory", 0)


def become_replica(place: Place) -> None:
    place.admin.replicaof("127.0.0.1", "1")


def become_primary(place: Place) -> None:
    place.admin.replicaof("NO", "ONE")


def flush(place: Place) -> None:
    place.admin.flushall()


Fault = tuple[Callable[[Place], None], Callable[[Place], None]]
"""What begins it, and what ends it."""


FAULTS: dict[str, Fault] = {
    "killed": (kill, revive),
    "frozen (SIGSTOP)": (freeze, thaw),
    "2 s slow": (answering(slow(2)), behave),
    "half-open connections": (vanish, nothing),
    "reset in mid-answer": (answering(cut), behave),
    "wrong password": (other_password, right_password),
    "certificate of another host": (other_host, right_certificate),
    "certificate of an unknown authority": (other_authority, right_certificate),
    "out of memory, noeviction": (fill, make_room),
    "read-only replica": (become_replica, become_primary),
    "garbage in the protocol": (answering(garbage), behave),
    "restarted empty": (restart, nothing),
    "flushed": (flush, nothing),
    "MOVED answers": (answering(moved), behave),
}
