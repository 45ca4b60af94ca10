"""score.py, served by our front on gunicorn's own asyncio protocol in place of uvicorn's.

gunicorn's master wants that worker named before it starts, and ``azmlinfsrv`` starts a threaded
one; so its protocol is put into the worker that runs, as ours is. It parses in C if gunicorn_h1c is
installed.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import uvloop
from gunicorn.asgi.protocol import ASGIProtocol

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))

from azureml_scoring.http.asgi import Front
from azureml_scoring.http.worker import FastWorker
from score import init, run  # noqa: F401  azmlinfsrv calls them


def serve(worker: FastWorker) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(worker._gunicorn, Front(worker._gunicorn.wsgi, worker._endpoint)))


async def _serve(gunicorn: Any, front: Front) -> None:
    gunicorn.loop, gunicorn.state, gunicorn.nr_conns = asyncio.get_running_loop(), {}, 0
    gunicorn.asgi = front
    for listener in gunicorn.sockets:
        await gunicorn.loop.create_server(lambda: ASGIProtocol(gunicorn), sock=listener.sock)
    while gunicorn.alive:
        gunicorn.notify()
        await asyncio.sleep(1)


mock.patch.object(FastWorker, "run", serve).start()  # fails if there is none
