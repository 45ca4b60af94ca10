import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_value import Corrupt, Entry, seal, unseal

ENTRY = Entry(b"[1,0]", 1_700_000_000.0)


@given(st.binary(), st.binary(), st.floats(allow_nan=False))
def test_what_is_sealed_is_what_is_unsealed(key: bytes, predictions: bytes, expires: float):
    """Byte for byte, with its expiry."""
    entry = Entry(predictions, expires)
    assert unseal(key, seal(key, entry)) == entry


@given(st.data())
def test_any_changed_bit_is_noticed(data: st.DataObject):
    """In the version, the expiry, the checksum or the predictions."""
    sealed = bytearray(seal(b"key", ENTRY))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Corrupt):
        unseal(b"key", bytes(sealed))


@given(st.integers(0, len(seal(b"key", ENTRY)) - 1))
def test_a_truncated_value_is_noticed(length: int):
    """Wherever it was cut off."""
    with pytest.raises(Corrupt):
        unseal(b"key", seal(b"key", ENTRY)[:length])


@given(st.binary())
def test_foreign_bytes_are_noticed(value: bytes):
    """Whatever somebody else put under our key."""
    with pytest.raises(Corrupt):
        unseal(b"key", value)


@pytest.mark.parametrize("value", [pickle.dumps([1]), b"[1,0]", b"null", seal(b"other key", ENTRY)])
def test_pickles_bare_json_and_values_of_other_keys_are_foreign(value: bytes):
    """A value counts only where it was put."""
    with pytest.raises(Corrupt):
        unseal(b"key", value)
