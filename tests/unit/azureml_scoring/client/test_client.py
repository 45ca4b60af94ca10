"""What is sent for rows, and what comes back, against a scripted transport."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import orjson
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azureml_scoring.client import AsyncClient, Client, RequestRefused, TooLarge
from azureml_scoring.client.authorization import SCOPE, Authorization
from examples import at_most
from places import SRC

Answer = tuple[int, Any]


class Echo:
    """A server that answers the first value of each row. ``most_rows``: of a request; ``refuses``:
    a value that gets 422. ``takes_gzip``: else a packed body gets 415."""

    def __init__(self) -> None:
        self.most_rows, self.refuses, self.takes_gzip = 10**6, -1.0, True
        self.sizes: list[int] = []
        self.packed: list[bool] = []
        self.answer: Callable[[list[Any]], Any] = lambda row: row[0]
        echo = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                packed = self.headers.get("Content-Encoding") == "gzip"
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


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    threading.Thread(target=echo.server.serve_forever, args=(0.05,), daemon=True).start()
    yield echo
    echo.server.shutdown()
    echo.server.server_close()


@pytest.fixture(scope="module")
def shared_echo() -> Iterator[Echo]:
    echo = Echo()
    threading.Thread(target=echo.server.serve_forever, args=(0.05,), daemon=True).start()
    yield echo
    echo.server.shutdown()
    echo.server.server_close()


@settings(max_examples=at_most(15))
@given(
    count=st.integers(0, 30),
    per_request=st.integers(1, 25),
    most=st.integers(1, 25),
    parallel=st.integers(1, 5),
    shuffled=st.randoms(use_true_random=False),
)
def test_split_and_merge_keep_order_and_index(
    shared_echo: Echo, count: int, per_request: int, most: int, parallel: int, shuffled: Any
):
    """However rows are split, each prediction stands at its row, under the row's own label."""
    shared_echo.most_rows = most
    index = [f"label {number}" for number in range(count)]
    shuffled.shuffle(index)
    frame = pd.DataFrame({"a": range(count), "b": 0.5}, index=index)
    with Client(shared_echo.url, rows_per_request=per_request, parallel=parallel) as client:
        scored = client.score(frame)
        assert client.score([[value, 0] for value in range(count)]) == list(range(count))
    pd.testing.assert_series_equal(scored, frame["a"].astype(scored.dtype), check_names=False)


def test_several_values_a_row_become_columns(echo: Echo):
    """Probabilities and objects give a DataFrame with the index of the rows."""
    frame = pd.DataFrame({"a": [1, 2]}, index=[7, 9])
    echo.answer = lambda row: [0.25, 0.75]
    with Client(echo.url) as client:
        scored = client.score(frame, method="predict_proba")
        assert scored.to_dict("list") == {0: [0.25] * 2, 1: [0.75] * 2}
        assert list(scored.index) == [7, 9]
        echo.answer = lambda row: {"label": "yes", "score": 1}
        assert list(client.score(frame).columns) == ["label", "score"]


def test_an_error_names_the_row_of_all_rows(echo: Echo):
    """Rows count from 0 in what was given, not in the request that was sent."""
    echo.refuses = 33.0
    with (
        Client(echo.url, rows_per_request=10) as client,
        pytest.raises(RequestRefused) as refused,
    ):
        client.score([[float(number)] for number in range(50)])
    error = refused.value
    assert (error.row, error.column, error.code, error.status) == (33, 0, "out_of_range", 422)
    assert str(error) == "Feature a must not be so. (422 out_of_range in row 33)"


def test_one_row_that_is_too_large_is_an_error(echo: Echo):
    """Rows are halved down to one, and then nothing more can be done."""
    echo.most_rows = 0
    with Client(echo.url) as client, pytest.raises(TooLarge):
        client.score([[1], [2], [3]])


def test_large_bodies_are_packed_where_the_server_takes_it(echo: Echo):
    """A server without gzip is asked in plain JSON from then on."""
    rows = [[number, "x" * 2000] for number in range(100)]
    with Client(echo.url) as client:
        client.score(rows)
        client.score([[1]])
    assert echo.packed == [True, False]
    echo.packed.clear()
    echo.takes_gzip = False
    with Client(echo.url) as client:
        assert client.score(rows) == client.score(rows) == list(range(100))
    assert echo.packed == [True, False, False]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([[1.0], [float("inf")]], "Row 1 holds an infinite number"),
        ([1.0, 2.0], "Row 0 is not a row"),
        ("text", "Give a list of lists"),
        ({"a": 1}, "Give a list of lists"),
    ],
)
def test_what_can_not_be_sent_is_told(echo: Echo, rows: Any, words: str):
    """Nothing is sent, and the error names the row."""
    with Client(echo.url) as client, pytest.raises(ValueError, match=words):
        client.score(rows)
    assert echo.sizes == []


def test_records_and_missing_values_are_sent(echo: Echo):
    """Records with the same keys share their names; NaN is a missing value."""
    with Client(echo.url) as client:
        assert client.score([{"a": 1, "b": 2}, {"b": 3, "a": float("nan")}]) == [1, None]


def test_threads_share_a_client(echo: Echo):
    """Each gets the answers to its own rows."""
    with Client(echo.url, rows_per_request=5) as client, ThreadPoolExecutor(8) as pool:
        parts = [[[number, thread] for number in range(20)] for thread in range(8)]
        assert list(pool.map(client.score, parts)) == [list(range(20))] * 8


def test_the_asynchronous_client_scores(echo: Echo):
    """It is the same client, for an event loop of the caller's."""

    async def work() -> list[Any]:
        async with AsyncClient(echo.url) as client:
            return await client.score([[1], [2]])

    assert asyncio.run(work()) == [1, 2]


@pytest.mark.parametrize("waits", [False, True])
def test_a_token_is_kept_until_it_is_about_to_expire(waits: bool):
    """Both kinds of azure-identity's credentials are asked once for many requests."""
    scopes: list[str] = []

    class Blocking:
        def get_token(self, scope: str) -> Any:
            scopes.append(scope)
            return SimpleNamespace(token=f"token-{len(scopes)}", expires_on=1000)

    class Waiting:
        async def get_token(self, scope: str) -> Any:
            return Blocking().get_token(scope)

    now = [0.0]
    authorization = Authorization(Waiting() if waits else Blocking(), lambda: now[0])

    async def work() -> list[str]:
        together = await asyncio.gather(*(authorization.headers() for _ in range(3)))
        now[0] = 701.0
        return [part["Authorization"] for part in [*together, await authorization.headers()]]

    assert asyncio.run(work()) == ["Bearer token-1"] * 3 + ["Bearer token-2"]
    assert scopes == [SCOPE] * 2


@pytest.mark.parametrize(
    ("url", "words"), [("http://example.org", "without TLS"), ("localhost", "https://host/score")]
)
def test_a_wrong_address_is_refused(url: str, words: str):
    """No key travels in plain text, except on this machine."""
    with pytest.raises(ValueError, match=words):
        Client(url, "key-1")


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
