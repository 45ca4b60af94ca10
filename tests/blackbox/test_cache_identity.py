"""Redis by an Entra identity: real azure-identity and redis-entraid, against a local endpoint that
issues tokens."""

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jwt
import pytest
import trustme

import support
from blackbox.redis_proxy import tls_proxy
from blackbox.server import ONE_WORKER, serving, until
from redis_server import Valkey, valkey

pytestmark = pytest.mark.any_worker

OBJECT_ID = "11111111-2222-3333-4444-555555555555"
LIFETIME = 5
"""Seconds that a token is valid; Azure's are valid for a day."""


class Tokens:
    """Issues tokens as Azure ML's managed identity endpoint does, and adds each to Redis' users, as
    Azure does."""

    def __init__(self, redis: Valkey) -> None:
        self.issued: list[str] = []
        numbers = itertools.count()
        tokens = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert self.headers["secret"] == "msi-secret"
                expires = int(time.time()) + LIFETIME
                claims = {
                    "oid": OBJECT_ID,
                    "exp": expires,
                    "iat": expires - LIFETIME,
                    "jti": str(next(numbers)),
                }
                token = jwt.encode(claims, "a key of this test, 32 bytes long", algorithm="HS256")
                redis.admin.execute_command(
                    "ACL", "SETUSER", OBJECT_ID, "on", f">{token}", "~*", "+@all"
                )
                tokens.issued.append(token)
                body = json.dumps(
                    {"access_token": token, "expires_on": str(expires), "token_type": "Bearer"}
                ).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/msi/token"


@contextmanager
def tokens_of(redis: Valkey) -> Iterator[Tokens]:
    tokens = Tokens(redis)
    threading.Thread(target=tokens.server.serve_forever, daemon=True).start()
    yield tokens
    tokens.server.shutdown()
    tokens.server.server_close()


def test_redis_is_used_by_the_managed_identity_whose_token_is_renewed(tmp_path: Path):
    """There is no password: connections sign in again with each new token, and no token is
    logged."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with valkey() as redis, tokens_of(redis) as tokens, tls_proxy(redis.port, authority) as proxy:
        env = {
            "REDIS_HOST": "localhost",
            "REDIS_PORT": str(proxy.port),
            "REDIS_AUTH": "entra",
            "REDIS_SSL_CA_CERTS": str(tmp_path / "ca.pem"),
            "MSI_ENDPOINT": tokens.url,
            "MSI_SECRET": "msi-secret",
            "SCORING_CACHE_MAX_BYTES": "0",
            "SCORING_CACHE_MUST_PAY": "false",
            "SCORING_CACHE_BUDGET_MS": "1000",
        }
        model = support.scripted(tmp_path / "model", "Steady")
        with serving(model, tmp_path, **ONE_WORKER, **env) as server:

            def hit() -> bool:
                return bool(server.score([[4.0]]).json()["metadata"]["cache"] == "hit")

            until(hit, "Redis is used")
            until(lambda: len(tokens.issued) >= 6, "the workers have renewed their tokens")
            redis.admin.execute_command(
                "ACL", "SETUSER", OBJECT_ID, "resetpass", f">{tokens.issued[-1]}"
            )
            until(lambda: redis.commands("auth") >= 6, "connections sign in again")
            assert hit()
            assert {client["user"] for client in redis.admin.client_list()} == {
                "default",
                OBJECT_ID,
            }
            assert not any(token in server.log for token in tokens.issued)
            assert server.get("/health").json()["cache"]["redis"]["errors"] == 0
