"""What is sent for rows, and what comes back, against a server that answers each row's first
value."""

from __future__ import annotations

import asyncio
import gc
import gzip
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import azureml_scoring.client
import support
from azureml_scoring.client import AsyncClient, Client, RequestRefused, TooLarge
from azureml_scoring.client.authorization import SCOPE, Authorization
from azureml_scoring.client.errors import Details
from examples import at_most
from places import SRC

Answer = tuple[int, Any]


class Echo:
    """A server that answers the first value of each row. ``most_rows``: of a request; ``refuses``:
    a value that gets 422. ``takes_gzip``: else a packed body gets 415. ``connections``: how many
    there were."""

    def __init__(self) -> None:
        self.most_rows, self.refuses, self.takes_gzip = 10**6, -1.0, True
        self.connections = 0
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


@contextmanager
def echoing() -> Iterator[Echo]:
    echo = Echo()
    threading.Thread(target=echo.server.serve_forever, args=(0.05,), daemon=True).start()
    yield echo
    echo.server.shutdown()
    echo.server.server_close()


@pytest.fixture(name="echo")
def echo_() -> Iterator[Echo]:
    with echoing() as echo:
        yield echo


@pytest.fixture(scope="module")
def shared_echo() -> Iterator[Echo]:
    with echoing() as echo:
        yield echo


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
    """Rows are halved down to one, and then nothing more can be done; the next rows are sent
    together again."""
    echo.most_rows = 0
    with Client(echo.url) as client:
        with pytest.raises(TooLarge):
            client.score([[1], [2], [3]])
        echo.most_rows = 100
        client.score([[1], [2], [3]])
    assert echo.sizes == [3]


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


class OfColumns:
    """A table as polars and pyarrow have it: iterating over it gives its columns."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, place: Any) -> Any:
        return self

    def __iter__(self) -> Iterator[list[int]]:
        return iter([[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([[1.0], [float("inf")]], "Row 1 holds an infinite number"),
        ([1.0, 2.0], "Row 0 is not a row"),
        ([[1.0], {"a": 1.0}], "Row 1 is not a row"),
        ([{"a": 1.0}, [1.0]], "Row 1 is not a row"),
        ([[1], [Decimal(1)]], "Row 1 holds a value of the type Decimal"),
        ([[1], [[b"nested"]]], "can't be written as JSON"),
        ([["\ud800"]], "surrogates"),
        ("text", "Give a list of lists"),
        ({"a": 1}, "Give a list of lists"),
        (iter([[1]]), "Give a list of lists"),
        (np.array([1.0, 2.0]), "Give a list of lists"),
        (OfColumns(), "Give a list of lists"),
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


@pytest.mark.parametrize("index", [[3, 3, 3], pd.MultiIndex.from_product([["a"], [2, 1, 0]])])
def test_any_index_comes_back(echo: Echo, index: Any):
    """Labels that stand twice too, and those of several levels."""
    frame = pd.DataFrame({"a": [5, 6, 7]}, index=index)
    with Client(echo.url, rows_per_request=2) as client:
        scored = client.score(frame)
    assert scored.tolist() == [5, 6, 7]
    assert scored.index.equals(frame.index)


VALUES = [
    (np.float32(0.5), 0.5),
    (np.int64(2**62), 2**62),
    (np.bool_(True), True),
    (np.datetime64("2026-01-02T03:04:05", "ns"), "2026-01-02T03:04:05"),
    (np.datetime64("NaT"), None),
    (pd.Timestamp("2026-01-02 03:04", tz="UTC"), "2026-01-02T03:04:00+00:00"),
    (date(2026, 1, 2), "2026-01-02"),
    (pd.NaT, None),
    (pd.NA, None),
    (True, True),
    ("é", "é"),
]


@pytest.mark.parametrize(("value", "sent"), VALUES, ids=str)
def test_values_are_sent_as_json_has_them(echo: Echo, value: Any, sent: Any):
    """In lists, in records and in a DataFrame's column of objects."""
    frame = pd.DataFrame({"a": pd.Series([value], dtype=object)})
    echo.answer = lambda row: [row[0]]
    with Client(echo.url) as client:
        assert client.score([[value]]) == client.score([{"a": value}]) == [[sent]]
        (back,) = client.score(frame)[0]
        assert back == sent or (pd.isna(back) and sent is None)


def test_columns_of_one_name_keep_their_values(echo: Echo):
    """The server says what it thinks of the names; each value is its own column's."""
    frame = pd.DataFrame([[1, "x", None], [2, "y", 0.5]], columns=["a", "a", "b"])
    echo.answer = lambda row: row
    with Client(echo.url) as client:
        assert client.score(frame).iloc[1].tolist() == [2, "y", 0.5]


def test_arrays_and_categories_are_sent(echo: Echo):
    """Times in an array are times, and a category is its value."""
    times = np.array([["2026-01-02", "NaT"]], dtype="datetime64[ns]")
    frame = pd.DataFrame({"a": pd.Categorical(["x", None])})
    echo.answer = lambda row: row
    with Client(echo.url) as client:
        assert client.score(times) == [["2026-01-02T00:00:00", None]]
        assert client.score(np.eye(2)) == [[1.0, 0.0], [0.0, 1.0]]
        echo.answer = lambda row: row[0]
        assert client.score(frame).iloc[0] == "x"
        assert pd.isna(client.score(frame).iloc[1])


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


@pytest.mark.parametrize("name", ["grün", "two\nlines", ""])
def test_a_name_that_no_header_can_hold_is_refused(name: str):
    """It is refused before anything is sent."""
    with pytest.raises(ValueError, match="deployment has characters"):
        Client("https://localhost", deployment=name)


def test_a_column_by_name_is_the_name():
    """A JSON pointer writes slash and tilde in another way."""
    assert Details(pointer="/input_data/3/a~1b~0").placed().column == "a/b~"


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
