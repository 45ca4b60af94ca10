import asyncio
import select
import socket
from typing import cast

import uvloop

from fair_accept import Queue


def test_a_loop_goes_on_to_accept_from_the_end_of_the_queue():
    """However often it goes there; and once it has left, the listener is the loop's alone again."""

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = await asyncio.get_running_loop().create_server(Answers, sock=listener)
            await asyncio.sleep(0)
            queue = Queue(listener)
            assert queue._epoll is not None
            for _ in range(3):
                queue.go_to_its_end()
                assert await asked(listener) == b"yes"
            queue.leave()
            queue.go_to_its_end()
            assert await asked(listener) == b"yes"
            server.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(main(), 60))


class Answers(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(b"yes")
        transport.close()


async def asked(listener: socket.socket) -> bytes:
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    answer = await reader.read()
    writer.close()
    return answer


def test_where_no_epoll_waits_for_the_listener_nothing_is_done():
    """As on other systems, or with another loop."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        queue = Queue(listener)
        queue.go_to_its_end()
        queue.leave()
        assert select.select([listener], [], [], 0) == ([], [], [])
