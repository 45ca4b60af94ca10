"""What is sent for rows, and what comes back, against a server that answers each row's first
value."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azureml_scoring.client import AccessDenied, Client, RequestRefused, ServerBusy, TooLarge
from azureml_scoring.client.authorization import SCOPE, Authorization
from azureml_scoring.client.errors import Details
from echo_server import Echo
from examples import at_most


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


def test_a_refused_gzip_gives_no_more_tries(echo: Echo):
    """It is sent again unpacked in the same try."""
    echo.first = [503, 503, 415, 503, 503]
    rows = [[number, "x" * 2000] for number in range(100)]
    with (
        Client(echo.url, attempts=3, sleep=lambda _: asyncio.sleep(0)) as client,
        pytest.raises(ServerBusy),
    ):
        client.score(rows)
    assert echo.packed == [True, True, True, False]


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
        (pd.DataFrame({"a": [1], 7: [2]}), "column names are not texts"),
        (pd.DataFrame({("a", "b"): [1]}), "column names are not texts"),
        (pd.DataFrame([[1, 2]], columns=[1, 0]), "column names are not texts"),
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


def test_a_frame_without_names_is_sent_by_place(echo: Echo):
    """Its columns are called 0, 1, 2, ... by pandas, not by the model."""
    with Client(echo.url) as client:
        assert client.score(pd.DataFrame([[5, 1], [6, 1]])).tolist() == [5, 6]


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


@pytest.mark.parametrize(("renewable", "tokens"), [(True, [1, 2]), (False, [1])])
def test_a_refused_token_is_renewed_once(echo: Echo, renewable: bool, tokens: list[int]):
    """It may be revoked before it expires; where the credential has no newer one, nothing is sent
    again."""
    asked: list[int] = []

    def get_token(*_: str) -> Any:
        asked.append(len(asked) + 1 if renewable else 1)
        return SimpleNamespace(token=f"{asked[-1]}", expires_on=time.time() + 3600)

    echo.first = [401] * len(tokens)
    credential = SimpleNamespace(get_token=get_token)
    with Client(echo.url, credential) as client, pytest.raises(AccessDenied):
        client.score([[1]])
    assert echo.tokens == [f"Bearer {token}" for token in tokens]
    with Client(echo.url, credential) as client:
        assert client.score([[1]]) == [1]


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
