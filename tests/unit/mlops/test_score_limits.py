"""`mlops score` limits the time and the memory that an answer may take."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from azureml_scoring.client import async_client, retry
from azureml_scoring.client.answer import MAX_ANSWER_BYTES
from hostile_server import Pieces, answer, bomb, hostile
from score_command import refusal, score, table

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def no_traceback(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Nothing is printed past click on the real streams."""
    yield
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    "said",
    [
        "\xb2",
        "9" * 5000,
        "-1",
        "soon",
        "Mon, 01 Jan 99999 00:00:00 GMT",
        f"Mon, {'9' * 20} Jan 2026",
        "0x10",
        "1e3",
        "",
    ],
)
def test_an_invalid_pause_does_no_harm(tmp_path: Path, said: str, monkeypatch: pytest.MonkeyPatch):
    """An invalid Retry-After counts as missing or too long; the error says the server is busy."""
    monkeypatch.setattr(retry, "MAX_PAUSE_S", -1.0)
    with hostile(lambda _: [answer(b"", f"Retry-After: {said}", status="503 Busy")]) as url:
        result = score(url, table(tmp_path, 3))
    assert "it is busy; try again later. (503)" in refusal(result)


def drip(head: bytes) -> Pieces:
    yield head
    until = time.monotonic() + 60
    while time.monotonic() < until:
        time.sleep(0.05)
        yield b" "


DRIPS = {
    "a body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
    "a head": b"HTTP/1.1 200 OK\r\nX: ",
    "an error": b"HTTP/1.1 400 Bad\r\nContent-Length: 1000000\r\n\r\n",
}


@pytest.mark.parametrize("head", DRIPS.values(), ids=DRIPS)
def test_an_answer_without_an_end_has_a_deadline(
    tmp_path: Path, head: bytes, monkeypatch: pytest.MonkeyPatch
):
    """The deadline covers the whole answer, so single bytes can't keep a client waiting."""
    monkeypatch.setitem(async_client.AsyncClient.__init__.__kwdefaults__, "timeout_s", 1)
    with hostile(lambda _: drip(head)) as url:
        result = score(url, table(tmp_path, 3))
    assert "has not answered within 1 s" in refusal(result)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request"])
def test_an_answer_may_not_take_all_memory(tmp_path: Path, packed: bool, status: str):
    """2 GiB, plain or packed into 2 MiB, take at most a few times the limit in memory."""

    def reply(_: int) -> Pieces:
        if packed:
            yield answer(bomb(2048), "Content-Encoding: gzip", status=status)
        else:
            yield f"HTTP/1.1 {status}\r\nContent-Length: {2**31}\r\n\r\n".encode()
            for _ in range(2048):
                yield b"[" * 2**20

    with hostile(reply) as url:
        score(url, table(tmp_path, 3))  # what is imported once is no part of it
        tracemalloc.start()
        try:
            result = score(url, table(tmp_path, 3))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert ("more than 32 MiB" if status == "200 OK" else "(400)") in refusal(result)
    assert peak < 4 * MAX_ANSWER_BYTES
