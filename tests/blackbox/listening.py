"""A server that keeps what it receives, in the place of Azure or of a collector."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Sent(NamedTuple):
    """A received request. ``headers``: by names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


@contextmanager
def listening(answer: bytes = b"") -> Iterator[tuple[int, list[Sent]]]:
    """Yield the server's port and the requests that it got. ``answer``: JSON, to each request."""
    got: list[Sent] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            plain = gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body
            got.append(
                Sent(
                    self.path, {name.lower(): value for name, value in self.headers.items()}, plain
                )
            )
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            """Log nothing; ``got`` has the requests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1], got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
