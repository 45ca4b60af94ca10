"""The Redis client that the settings describe: short timeouts, no retries, checked TLS, a password
or an Entra identity.

Sources: redis-py 8.1, redis-entraid 1.2, Azure's documentation of Azure Cache for Redis and Azure
Managed Redis.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import redis
from pydantic import SecretStr
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

from azureml_scoring.errors import StartupError
from azureml_scoring.settings import Settings

CONNECT_TIMEOUT_S = 1.0
"""No request waits for it: connections are made on the link's threads."""

TOKEN_TIMEOUT_MS = 10_000
"""redis-entraid's default of 100 ms is too short for a managed identity's first token."""

DEFAULT_PLAIN_PORT = 6379
MANAGED_REDIS_DOMAIN = ".redis.azure.net"


def connector(settings: Settings) -> Callable[[], redis.Redis]:
    """Check the settings and return a function that makes the client. Raises StartupError."""
    options = _address(settings) | {
        "socket_timeout": settings.scoring_cache_budget_ms / 1000,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_keepalive": True,
        "protocol": 2,
        "driver_info": None,  # saves round trips while connecting
    }
    if options["ssl"]:
        options |= {
            "ssl_cert_reqs": "required",
            "ssl_check_hostname": True,
            "ssl_min_version": ssl.TLSVersion.TLSv1_2,
            "ssl_ca_certs": str(settings.redis_ssl_ca_certs)
            if settings.redis_ssl_ca_certs
            else None,
        }
        context = _context(options)
        if not settings.redis_cluster:
            options["connection_class"] = _sharing(context)
    if settings.redis_auth == "entra":
        _check_entra(options)
        return lambda: _client(settings, options | {"credential_provider": _entra(os.getpid())})
    return lambda: _client(settings, options)


def _address(settings: Settings) -> dict[str, Any]:
    login = {"username": settings.redis_username, "password": _secret(settings.redis_password)}
    if settings.redis_url is None:
        return login | {
            "host": settings.redis_host,
            "port": settings.redis_port,
            "ssl": settings.redis_ssl,
        }
    if settings.redis_host is not None:
        raise StartupError("REDIS_URL and REDIS_HOST are both set; unset one of them.")
    url = settings.redis_url.get_secret_value()
    try:
        scheme, query = urlsplit(url).scheme, urlsplit(url).query
        parsed: dict[str, Any] = {
            "port": DEFAULT_PLAIN_PORT if scheme == "redis" else settings.redis_port,
            **parse_url(url),  # type: ignore[no-untyped-call]
        }
    except ValueError:
        scheme, query, parsed = "", "", {}
    # A query is refused: it could switch off the checks of TLS.
    if scheme not in ("redis", "rediss") or query or "host" not in parsed:
        raise StartupError(
            "REDIS_URL is not usable; write it as rediss://:password@host:6380/0, without a query."
        )
    parsed.pop("connection_class", None)
    return {**login, **parsed, "ssl": scheme == "rediss"}


def _context(options: dict[str, Any]) -> ssl.SSLContext:
    """Return a context that checks certificate and host name, which is ssl's default."""
    try:
        context = ssl.create_default_context(cafile=options["ssl_ca_certs"])
    except OSError as error:
        raise StartupError(
            f"REDIS_SSL_CA_CERTS can't be used ({error}); name a file of certificates in PEM."
        ) from None
    context.minimum_version = options["ssl_min_version"]
    return context


def _sharing(context: ssl.SSLContext) -> type[redis.SSLConnection]:
    """Return a connection class whose connections share one context.

    redis-py makes a context for each connection, which holds the interpreter, and so every request,
    for some 20 ms. If redis-py renames its private method, connections are slow to make again, and
    checked all the same.
    """

    class SharedContextConnection(redis.SSLConnection):
        def _wrap_socket_with_ssl(self, sock: Any) -> ssl.SSLSocket:
            return context.wrap_socket(sock, server_hostname=self.host)

    return SharedContextConnection


def _secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None


def _check_entra(options: dict[str, Any]) -> None:
    if not options["ssl"]:
        raise StartupError(
            "REDIS_AUTH=entra sends tokens, so it needs TLS; remove REDIS_SSL=false."
        )
    if options["password"]:
        raise StartupError(
            "REDIS_AUTH=entra takes no password; remove REDIS_PASSWORD or REDIS_AUTH."
        )
    if find_spec("redis_entraid") is None:
        raise StartupError("REDIS_AUTH=entra needs redis-entraid; run `pip install redis-entraid`.")


@lru_cache(maxsize=1)
def _entra(process: int) -> Any:
    """Return the credentials of the workload or managed identity, which AZURE_CLIENT_ID selects.
    They renew tokens on a thread of their own."""
    from redis.auth.token_manager import RetryPolicy, TokenManagerConfig
    from redis_entraid.cred_provider import create_from_default_azure_credential

    return create_from_default_azure_credential(
        ("https://redis.azure.com/.default",),
        token_manager_config=TokenManagerConfig(0.7, 0, TOKEN_TIMEOUT_MS, RetryPolicy(3, 100)),
    )


def _client(settings: Settings, options: dict[str, Any]) -> Any:
    if "credential_provider" in options:
        options = {
            name: value for name, value in options.items() if name not in ("username", "password")
        }
    retry = Retry(NoBackoff(), 0)
    if not settings.redis_cluster:
        options.pop("ssl")
        pool = redis.ConnectionPool(**options, retry=retry, retry_on_error=[])
        # Passed here too, so that the provider's new tokens reach open connections.
        return redis.Redis(
            connection_pool=pool, credential_provider=options.get("credential_provider")
        )
    if options["host"].endswith(MANAGED_REDIS_DOMAIN):
        # The nodes announce addresses that the certificate does not name; the one host name reaches
        # all of them.
        options |= {"address_remap": lambda address: (options["host"], address[1])}
    options.pop("db", None)  # a cluster has only one database
    return redis.RedisCluster(**options, retry=retry)
