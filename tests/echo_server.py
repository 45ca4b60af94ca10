"""A scoring server that answers the first value of each row, for tests of the client."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

Answer = tuple[int, Any]


class Echo:
    """A server that answers the first value of each row. ``most_rows``: of a request; ``refuses``:
    a value that gets 422. ``takes_gzip``: else a packed body gets 415. ``first``: statuses of the
    next answers. ``connections``: how many there were."""

    def __init__(self) -> None:
        self.most_rows, self.refuses, self.takes_gzip = 10**6, -1.0, True
        self.connections = 0
        self.first: list[int] = []
        self.tokens: list[str | None] = []
        self.sizes: list[int] = []
        self.packed: list[bool] = []
        self.answer: Callable[[list[Any]], Any] = lambda row: row[0]
        echo = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                echo.connections += 1

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                packed = self.headers.get("Content-Encoding") == "gzip"
                echo.tokens.append(self.headers.get("Authorization"))
                status, document = echo.reply(body, packed)
                content = orjson.dumps(document)
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def reply(self, body: bytes, packed: bool) -> Answer:
        self.packed.append(packed)
        if self.first:
            return self.first.pop(0), {"error": "Not now.", "code": "overloaded"}
        if packed and not self.takes_gzip:
            return 415, {"error": "No gzip.", "code": "unsupported_content_encoding"}
        table = orjson.loads(gzip.decompress(body) if packed else body)["input_data"]
        rows = table["data"] if isinstance(table, dict) else table
        if len(rows) > self.most_rows:
            return 413, {"error": "Too many rows.", "code": "too_many_rows", "location": ""}
        self.sizes.append(len(rows))
        for place, row in enumerate(rows):
            if self.refuses in row:
                return 422, {
                    "error": "Feature a must not be so.",
                    "code": "out_of_range",
                    "location": f"/input_data/{place}/{row.index(self.refuses)}",
                }
        return 200, {"predictions": [self.answer(row) for row in rows]}


@contextmanager
def echoing() -> Iterator[Echo]:
    echo = Echo()
    threading.Thread(target=echo.server.serve_forever, args=(0.05,), daemon=True).start()
    yield echo
    echo.server.shutdown()
    echo.server.server_close()
