import pickle

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_scoring.caching import value as cache_value
from azureml_scoring.caching.value import Corrupt, Entry, Seal

ENTRY = Entry(b"[1,0]", 1_700_000_000.0)
SECRET = "a key out of the vault"
PLAIN, SIGNED = Seal(), Seal(SECRET)
SEALS = st.sampled_from([PLAIN, SIGNED])
ANSWERS = st.lists(
    st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.lists(st.integers(0, 9))
)


@given(SEALS, st.binary(), ANSWERS, st.floats(allow_nan=False))
def test_what_is_sealed_is_what_is_unsealed(
    seal: Seal, key: bytes, answers: list[object], expires: float
):
    """The predictions come back byte for byte, with their expiry."""
    entry = Entry(orjson.dumps(answers), expires)
    assert seal.open(key, seal.close(key, entry), len(answers)) == entry


@given(SEALS, st.data())
def test_any_changed_bit_is_noticed(seal: Seal, data: st.DataObject):
    """It may be in the version, the expiry, the checksum or the predictions."""
    sealed = bytearray(seal.close(b"key", ENTRY))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Corrupt):
        seal.open(b"key", bytes(sealed), 2)


@given(SEALS, st.integers(0, len(PLAIN.close(b"key", ENTRY)) - 1))
def test_a_truncated_value_is_noticed(seal: Seal, length: int):
    """It may be cut off anywhere."""
    with pytest.raises(Corrupt):
        seal.open(b"key", seal.close(b"key", ENTRY)[:length], 2)


@given(SEALS, st.binary())
def test_foreign_bytes_are_noticed(seal: Seal, value: bytes):
    """Anything may stand under our key."""
    with pytest.raises(Corrupt):
        seal.open(b"key", value, 2)


@pytest.mark.parametrize(
    "value", [pickle.dumps([1]), b"[1,0]", b"null", PLAIN.close(b"other key", ENTRY)]
)
def test_pickles_bare_json_and_values_of_other_keys_are_foreign(value: bytes):
    """A value counts only under the key that it was made for."""
    with pytest.raises(Corrupt):
        PLAIN.open(b"key", value, 2)


FORGED = [
    b'[1],"injected":"<script>"',
    b"garbage",
    b"",
    b'["\xff"]',
    b"[1,NaN]",
    b"[" * 10_000,
    b"[1,0] x",
    b"[1,0][1,0]",
]


@pytest.mark.parametrize("rows", [2, None])
@pytest.mark.parametrize("predictions", FORGED)
def test_what_is_no_json_never_gets_into_an_answer(predictions: bytes, rows: int | None):
    """It is refused even if it is sealed correctly."""
    with pytest.raises(Corrupt):
        PLAIN.open(b"key", PLAIN.close(b"key", Entry(predictions, 2e9)), rows)


@pytest.mark.parametrize(
    "predictions", [b"[1]", b"[1,2,3]", b'{"0":1,"1":2}', b"12", b'"ab"', b"null"]
)
def test_answers_to_another_number_of_rows_are_foreign(predictions: bytes):
    """Each row has its own answer; by row, an answer may be any JSON value."""
    sealed = PLAIN.close(b"key", Entry(predictions, 2e9))
    with pytest.raises(Corrupt):
        PLAIN.open(b"key", sealed, 2)
    assert PLAIN.open(b"key", sealed, None).predictions == predictions


def test_a_value_is_never_parsed_beyond_a_bound(monkeypatch: pytest.MonkeyPatch):
    """50 MB of JSON would hold up every other request for a second."""
    monkeypatch.setattr(orjson, "loads", lambda text: pytest.fail("it was parsed"))
    long = b"[%s]" % (b" " * cache_value.MAX_JSON_BYTES)
    with pytest.raises(Corrupt):
        PLAIN.open(b"key", PLAIN.close(b"key", Entry(long, 2e9)), 0)


@pytest.mark.parametrize(
    "writer", [PLAIN, Seal("another key, out of elsewhere"), Seal(SECRET + " ")]
)
def test_with_a_secret_only_those_who_have_it_can_write(writer: Seal):
    """A value that is unsigned, or signed with another key, is foreign; a signed one is foreign to
    those without the key."""
    with pytest.raises(Corrupt):
        SIGNED.open(b"key", writer.close(b"key", ENTRY), 2)
    with pytest.raises(Corrupt):
        writer.open(b"key", SIGNED.close(b"key", ENTRY), 2)
    assert Seal(SECRET).open(b"key", SIGNED.close(b"key", ENTRY), 2) == ENTRY
