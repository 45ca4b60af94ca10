"""A client for the tests of our ASGI application."""

import asyncio
import threading
from typing import Any

from azureml_scoring.http.asgi import Front


class Client:
    """Sends its body in ``parts``, and then nothing more."""

    def __init__(self, *parts: bytes | dict[str, str]) -> None:
        self.left = list(parts)
        self.headers: list[tuple[bytes, bytes]] = []
        self.status, self.body = 0, b""

    async def receive(self) -> dict[str, Any]:
        if not self.left:
            await asyncio.Event().wait()
        part = self.left.pop(0)
        return (
            part
            if isinstance(part, dict)
            else {"type": "http.request", "body": part, "more_body": bool(self.left)}
        )

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], message["headers"]
        else:
            self.body, self.thread = message["body"], threading.current_thread().name


def flask(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"flask got ", environ["wsgi.input"].read()]


def front(endpoint: Any) -> Front:
    return Front(flask, endpoint)


def scope_of(path: str = "/score", state: Any = (), **headers: str) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
        "server": ("h", 1),
        "client": ("c", 2),
        "state": dict.fromkeys(state, True),
        "headers": [
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ],
    }


def ask(
    app: Front, client: Client, path: str = "/score", state: Any = (), **headers: str
) -> Client:
    asyncio.run(app(scope_of(path, state, **headers), client.receive, client.send))
    return client
