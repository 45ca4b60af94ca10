import ssl
from pathlib import Path
from typing import Any

import pytest
import redis
import trustme
from redis import exceptions

from azureml_scoring import settings
from azureml_scoring.caching import redis_client
from azureml_scoring.caching.redis_client import connector
from azureml_scoring.errors import StartupError
from blackbox.redis_proxy import tls_proxy
from redis_server import Valkey


def client(**environ: str) -> Any:
    return connector(settings.load(environ))()


def options(**environ: str) -> dict[str, Any]:
    return client(**environ).connection_pool.connection_kwargs


def test_by_default_it_is_azure_cache_for_redis_over_tls_that_is_checked():
    """The port is 6380; certificate and host name are checked; TLS is 1.2 or later."""
    pool = client(REDIS_HOST="x.redis.cache.windows.net", REDIS_PASSWORD="key").connection_pool
    given = pool.connection_kwargs
    assert issubclass(pool.connection_class, redis.SSLConnection)
    assert (given["host"], given["port"], given["password"]) == (
        "x.redis.cache.windows.net",
        6380,
        "key",
    )
    assert (given["ssl_cert_reqs"], given["ssl_check_hostname"]) == ("required", True)
    assert given["ssl_min_version"] == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("cluster", ["false", "true"])
@pytest.mark.parametrize("fault", ["another host", "an unknown authority"])
def test_a_certificate_that_does_not_fit_is_refused(
    redis_server: Valkey, tmp_path: Path, authority: trustme.CA, fault: str, cluster: str
):
    """Nothing is sent to a server whose certificate is for another host or from an unknown
    authority."""
    with tls_proxy(redis_server.port, authority) as proxy:
        if fault == "another host":
            proxy.present("elsewhere.example")
        else:
            proxy.present("localhost", trustme.CA())
        asked = over_tls(proxy.port, tmp_path, REDIS_CLUSTER=cluster)
        with pytest.raises(
            (exceptions.RedisError, exceptions.RedisClusterException),
            match="certificate verify failed",
        ):
            asked().ping()


def test_a_certificate_that_fits_is_taken(
    redis_server: Valkey, tmp_path: Path, authority: trustme.CA
):
    """A private authority is trusted if it is configured."""
    with tls_proxy(redis_server.port, authority) as proxy:
        assert over_tls(proxy.port, tmp_path)().ping()


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return made


def over_tls(port: int, folder: Path, **environ: str) -> Any:
    env = {"REDIS_URL": f"rediss://localhost:{port}", "REDIS_SSL_CA_CERTS": str(folder / "ca.pem")}
    return connector(settings.load(env | {"SCORING_CACHE_BUDGET_MS": "5000"} | environ))


def test_a_url_says_all_at_once():
    """A URL gives user, password, host, port, database and TLS."""
    given = options(REDIS_URL="rediss://me:p%40ss@h.example:1234/2")
    assert (given["host"], given["port"], given["db"]) == ("h.example", 1234, 2)
    assert (given["username"], given["password"], given["ssl_check_hostname"]) == (
        "me",
        "p@ss",
        True,
    )
    plain = client(REDIS_URL="redis://h.example").connection_pool
    assert plain.connection_class is redis.Connection
    assert plain.connection_kwargs["port"] == 6379
    assert options(REDIS_URL="rediss://h.example")["port"] == 6380


def test_timeouts_are_small_and_nothing_is_retried():
    """redis-py's defaults of 5 s and ten retries add up to a minute."""
    given = options(REDIS_HOST="h", SCORING_CACHE_BUDGET_MS="20")
    assert given["socket_timeout"] == 0.02
    assert given["socket_connect_timeout"] == 1
    assert given["retry"].get_retries() == 0
    assert not given.get("retry_on_timeout")
    assert given["retry_on_error"] == []


@pytest.mark.parametrize(
    ("environ", "hint"),
    [
        ({"REDIS_URL": "rediss://h?ssl_cert_reqs=none"}, "without a query"),
        ({"REDIS_URL": "http://h"}, "write it as"),
        ({"REDIS_URL": "rediss://:secret@"}, "write it as"),
        ({"REDIS_URL": "rediss://:secret@h:port"}, "write it as"),
        ({"REDIS_URL": "rediss://:secret@h", "REDIS_HOST": "h"}, "unset one"),
        (
            {"REDIS_HOST": "h", "REDIS_AUTH": "entra", "REDIS_SSL": "false"},
            "remove REDIS_SSL=false",
        ),
        (
            {"REDIS_HOST": "h", "REDIS_AUTH": "entra", "REDIS_PASSWORD": "secret"},
            "remove REDIS_PASSWORD",
        ),
    ],
)
def test_what_can_not_be_meant_stops_the_start_with_a_sentence(environ: dict[str, str], hint: str):
    """The sentence says what to do, and holds no secret."""
    with pytest.raises(StartupError, match=hint) as caught:
        connector(settings.load(environ))
    assert "secret" not in str(caught.value)


def test_entra_needs_its_extra(monkeypatch: pytest.MonkeyPatch):
    """The error says how to install it."""
    monkeypatch.setattr(redis_client, "find_spec", lambda name: None)
    with pytest.raises(StartupError, match=r"pip install redis-entraid"):
        connector(settings.load({"REDIS_HOST": "h", "REDIS_AUTH": "entra"}))


def test_secrets_do_not_show_in_the_settings():
    """No way of printing them shows a secret."""
    loaded = settings.load({"REDIS_URL": "rediss://:hunter2@h", "REDIS_PASSWORD": "hunter3"})
    assert "hunter" not in f"{loaded!r} {loaded}"
    with pytest.raises(StartupError) as caught:
        settings.load({"REDIS_PORT": "hunter2", "REDIS_PASSWORD": "hunter3"})
    assert "hunter3" not in str(caught.value)


def test_a_cluster_is_asked_as_one(redis_cluster: Valkey):
    """REDIS_CLUSTER turns it on; a single host and port is enough."""
    asked = client(REDIS_URL=f"redis://127.0.0.1:{redis_cluster.port}/0", REDIS_CLUSTER="true")
    assert isinstance(asked, redis.RedisCluster)
    asked.set("key", "value")
    assert asked.get("key") == b"value"


def test_the_nodes_of_azure_managed_redis_are_reached_by_its_host_name(
    monkeypatch: pytest.MonkeyPatch,
):
    """The certificate does not name the addresses of the nodes."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(redis, "RedisCluster", lambda **options: given.update(options))
    client(REDIS_HOST="x.westeurope.redis.azure.net", REDIS_PORT="10000", REDIS_CLUSTER="true")
    assert given["address_remap"](("10.0.0.4", 8501)) == ("x.westeurope.redis.azure.net", 8501)
    given.clear()
    client(REDIS_HOST="elsewhere.example", REDIS_CLUSTER="true")
    assert "address_remap" not in given
