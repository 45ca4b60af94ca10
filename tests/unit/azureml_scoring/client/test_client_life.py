"""The life of a client: shared by threads, closed, dropped, forked, and alone without the service's
packages."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import azureml_scoring.client
import support
from azureml_scoring.client import AsyncClient, Client
from echo_server import Echo
from places import SRC


def test_threads_share_a_client(echo: Echo):
    """Each gets the answers to its own rows."""
    with Client(echo.url, rows_per_request=5) as client, ThreadPoolExecutor(8) as pool:
        parts = [[[number, thread] for number in range(20)] for thread in range(8)]
        assert list(pool.map(client.score, parts)) == [list(range(20))] * 8


def test_threads_keep_their_connections(echo: Echo):
    """As many connections stay open as were needed at a time."""
    together = threading.Barrier(3)
    echo.answer = lambda row: together.wait(60)
    with Client(echo.url, parallel=1) as client, ThreadPoolExecutor(3) as pool:
        for _ in range(2):
            list(pool.map(client.score, [[[1]]] * 3))
    assert echo.connections == 3


def test_a_proxy_never_sees_what_goes_to_this_machine(echo: Echo, monkeypatch: pytest.MonkeyPatch):
    """A key may travel there without TLS, so the environment's proxy is not asked."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{support.free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with Client(echo.url, "key-1", attempts=1) as client:
        assert client.score([[1]]) == [1]


def test_a_closed_client_says_so(echo: Echo):
    """Closing twice is right; scoring is not."""
    client = Client(echo.url)
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="is closed"):
        client.score([[1]])


def test_closing_ends_what_other_threads_score(echo: Echo):
    """Nobody waits for an answer that can't come."""
    asked, free = threading.Event(), threading.Event()

    def answer(row: list[Any]) -> int:
        asked.set()
        free.wait(60)
        return 1

    echo.answer = answer
    client = Client(echo.url)
    with ThreadPoolExecutor(1) as pool:
        scoring = pool.submit(client.score, [[1]])
        asked.wait(60)
        client.close()
        with pytest.raises(RuntimeError, match="is closed"):
            scoring.result(60)
        free.set()


def test_a_client_that_is_dropped_ends_its_thread(echo: Echo):
    """A notebook's cell, run again and again, leaves no threads and connections."""
    before = set(threading.enumerate())
    client = Client(echo.url)
    (thread,) = set(threading.enumerate()) - before
    client.score([[1]])
    del client
    gc.collect()
    thread.join(60)
    assert not thread.is_alive()


def test_a_fork_needs_a_client_of_its_own(echo: Echo):
    """The child gets an error in place of waiting for ever, and the parent's client works on."""
    script = f"""
import os
from azureml_scoring.client import Client
with Client({echo.url!r}) as client:
    client.score([[1]])
    if os.fork() == 0:
        try:
            client.score([[1]])
        except RuntimeError as error:
            print(error, flush=True)
        client.close()
        os._exit(0)
    os.wait()
    print(client.score([[2]]))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env={"PYTHONPATH": str(SRC)}, check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    refused, scored = done.stdout.splitlines()
    assert "in this process" in refused
    assert scored == "[2]"


def test_the_asynchronous_client_scores(echo: Echo):
    """It is the same client, for an event loop of the caller's."""

    async def work() -> list[Any]:
        async with AsyncClient(echo.url) as client:
            return await client.score([[1], [2]])

    assert asyncio.run(work()) == [1, 2]


def test_the_wheels_name_has_all_of_the_client():
    """What can be imported from azureml_scoring.client can be imported from mlops.client."""
    import mlops.client

    for name in azureml_scoring.client.__all__:
        assert getattr(mlops.client, name) is getattr(azureml_scoring.client, name)


def test_the_client_needs_httpx_alone(echo: Echo):
    """It works where nothing of the service's packages is installed, not even orjson."""
    script = f"""
import sys
for name in ("numpy", "pandas", "sklearn", "flask", "orjson", "pydantic", "simdjson", "tqdm"):
    sys.modules[name] = None
from azureml_scoring.client import Client
with Client({echo.url!r}) as client:
    print(client.score([[1, "Zürich"], [float("nan"), ""]], progress=True))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(SRC)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "[1, None]\n"
