"""The fast parser for rows of numbers, compared with the general one."""

import json
import threading

import numpy as np
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from azureml_scoring.body_budget import LARGE_BODY_BYTES
from azureml_scoring.errors import ClientError
from azureml_scoring.inputs import payload
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.numeric_body import SMALL_BODY_BYTES, numbers

TWO = Contract((Feature(None),) * 2, ("predict",))
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**70), 2**70),
    st.just(-0.0),
    st.integers(-9, 9),
)
ODD = st.one_of(
    NUMBERS,
    st.none(),
    st.booleans(),
    st.text('[]{}"\\,a1', max_size=3),
    st.lists(NUMBERS, max_size=2),
)
ROWS = st.lists(st.lists(NUMBERS, min_size=2, max_size=2), min_size=1, max_size=4)
ODD_ROWS = st.lists(st.one_of(st.lists(ODD, max_size=3), ODD), max_size=4)
DATA = st.one_of(ROWS, ODD_ROWS)
METHODS = st.one_of(st.sampled_from(["predict", "é", "[", ""]), ODD)
DOCUMENTS = st.one_of(
    DATA,
    st.fixed_dictionaries({"data": DATA}, optional={"method": METHODS}),
    *(
        st.fixed_dictionaries({key: DATA}, optional={"method": METHODS, "id": ODD})
        for key in ("input_data", "inputs", "instances")
    ),
    st.fixed_dictionaries({"data": DATA, "input_data": DATA}),
    st.fixed_dictionaries(
        {"data": DATA}, optional={"columns": st.lists(METHODS, max_size=2), "index": DATA}
    ),
)
BITS = st.tuples(st.integers(0, 300), st.binary(max_size=2), st.integers(0, 2))


def as_json(document: object) -> bytes:
    """Write whole numbers of any size, which orjson can't."""
    return json.dumps(document, ensure_ascii=False).encode()


def table(body: bytes, limits: Limits) -> tuple[np.ndarray, object] | None:
    """Parse with the general parser: None if it refuses, or finds anything but rows of two
    numbers."""
    try:
        parsed, options = payload.parse(body, TWO, limits)
    except ClientError:
        return None
    if not set().union(*parsed.types) <= {int, float}:
        return None
    return np.array(parsed.values, dtype=np.float64).T + 0.0, options.method


def same(body: bytes, limits: Limits = Limits()) -> bool:  # noqa: B008
    """Check that the fast parser, with a small and a large body, agrees with the general one; True
    if it gave an array."""
    return all(
        [
            _same(body, limits),
            _same(body + b" " * SMALL_BODY_BYTES, limits),
            _same(body + b" " * LARGE_BODY_BYTES, limits),
        ]
    )


def _same(body: bytes, limits: Limits) -> bool:
    found = numbers(body, 2, limits)
    if found is None:
        return False
    expected = table(body, limits)
    assert expected is not None
    (X, method), (expected_X, expected_method) = found, expected
    assert X.tobytes() == expected_X.tobytes()
    assert X.shape == expected_X.shape
    assert method == expected_method
    return True


@given(DOCUMENTS)
@example({"data": [[[1], [2]]]})
@example([[[1, 2], [3, 4]]])
@example({"data": [[1, 2]], "method": None})
@example({"data": [[1, 2], [3]]})
def test_it_never_says_anything_else_than_the_way_for_everything(document: object):
    """No bit of a value differs, and no body that the general parser refuses is accepted."""
    same(as_json(document))


@given(ROWS, BITS)
@example([[1, 2]], (0, b"\xef\xbb", 0))
def test_a_broken_body_is_never_taken_for_a_good_one(
    rows: list[list[float]], bits: tuple[int, bytes, int]
):
    """Any bytes may stand in the middle of it."""
    body = as_json({"data": rows})
    at, inserted, removed = bits
    same(body[:at] + inserted + body[at + removed :])


@pytest.mark.parametrize(
    "body",
    [
        b"[[1,2]]",
        b' { "data" :\n[ [1, 2.5e3],\t[-0, -0.0]]}',
        b'{"input_data":[[1,2],[18446744073709551615,9007199254740993]]}',
        b'{"data":[[1,2]],"method":"predict"}',
        b'{"inputs":[[1,2]]}',
        b'{"instances":[[1,2]],"method":"predict"}',
    ],
)
def test_rows_of_numbers_go_the_quick_way(body: bytes):
    """Every form without columns is parsed by the fast parser."""
    assert same(body)


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf[[1,2]]",
        b'{"data":[[1,2]],"method":"\xff"}',
        b"[[1,2]]]",
        b"[[1,1e999]]",
        b"[[1,NaN]]",
        b"[[1,2],[]]",
        b"[[]]",
        b"[[1,2],3]",
        b"[[1 2,3]]",
        b"[[,1]]",
        b"[[",
        b'{"da ta":[[1,2]]}',
        b'{"dat1a":[[1,2]]}',
        b'{"data":[["1",2]]}',
        b'{"data":[[1,2]],"method":"x","data":5}',
        b'{"data":[[1,2]],"method":1,"data":5}',
        b'{"data":[[1,2]],"method":"x","method":"y"}',
        b'{"data":[[1,2]],"mthod":"x"}',
        b'{"inputs":[[1,2]],"params":{}}',
        b'{"data":[[1,2]],"":""}',
    ],
)
def test_everything_else_does_not(body: bytes):
    """The general parser accepts it, or says what is wrong."""
    assert numbers(body, 2, Limits()) is None
    assert numbers(body + b" " * SMALL_BODY_BYTES, 2, Limits()) is None


@pytest.mark.parametrize("body", [b"[[]]", b"[[],[1]]", b"[[1],[]]", b"[[[1]]]", b"[[1],1]"])
def test_rows_of_one_number_are_told_from_others(body: bytes):
    """Without commas an empty row looks like a row of one number."""
    assert numbers(b"[[1],[2]]", 1, Limits())
    assert numbers(body, 1, Limits()) is None
    assert numbers(body + b" " * SMALL_BODY_BYTES, 1, Limits()) is None


@pytest.mark.parametrize(
    "tail", [b'"method":"%s"', b'"method":"\\"%s"', b'"m%s":1', b'"method":"%s","data":[[9,9]]']
)
def test_what_stands_behind_the_rows_of_a_large_body_is_read_to_its_end(tail: bytes):
    """Anything but a short method is left to the general parser."""
    assert not same(b'{"data":[[1,2]],' + tail % (b"x" * 3 * LARGE_BODY_BYTES) + b"}")


def test_a_key_that_is_there_twice_is_left_to_the_general_parser():
    """It refuses such a body, of any size."""
    assert not same(b'{"data":[[1,2]],"data":[[3,4]]}')


@pytest.mark.parametrize(
    "limits",
    [
        Limits(max_bytes=18),
        Limits(max_depth=2),
        Limits(max_elements=3),
        Limits(max_rows=1),
        Limits(max_features=1),
    ],
)
def test_what_is_beyond_a_limit_is_left_to_be_refused(limits: Limits):
    """The general parser words the error."""
    body = b'{"data":[[1,2],[3,4]]}'
    assert numbers(body, 2, Limits())
    assert numbers(body, 2, limits) is None
    if limits.max_bytes > SMALL_BODY_BYTES:
        assert numbers(body + b" " * SMALL_BODY_BYTES, 2, Limits())
        assert numbers(body + b" " * SMALL_BODY_BYTES, 2, limits) is None


def test_the_array_is_ours_to_write_to():
    """A model may work in place; the thread's next request does not change the array."""
    first = numbers(b"[[1,2]]" + b" " * SMALL_BODY_BYTES, 2, Limits())
    second = numbers(b"[[3,4]]" + b" " * SMALL_BODY_BYTES, 2, Limits())
    assert first
    assert second
    np.add(first[0], 1, out=first[0])
    assert (first[0].tolist(), second[0].tolist()) == ([[2.0, 3.0]], [[3.0, 4.0]])
    assert first[0].flags.c_contiguous


def test_threads_do_not_disturb_each_other():
    """Each thread gets the rows that it sent."""
    wrong: list[int] = []

    def send(value: int) -> None:
        body = orjson.dumps([[value, value]] * 100)
        for _ in range(200):
            found = numbers(body, 2, Limits())
            if found is None or not np.array_equal(found[0], [[value, value]] * 100):
                wrong.append(value)

    threads = [threading.Thread(target=send, args=(value,)) for value in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
