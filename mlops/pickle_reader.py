"""Reads which classes and functions a pickle names, without loading it.

Python's own unpickler goes through the file, but whatever the pickle names is an object that does
nothing. So what a pickle makes up as it goes is seen as well, of which a list of its opcodes shows
nothing. joblib puts arrays as they are between the opcodes; those are passed over.
"""

from __future__ import annotations

import _compat_pickle
import bz2
import gzip
import lzma
import math
import pickle
import zlib
from io import BytesIO
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np

Name = tuple[str, str]
"""Module, and the name in it."""

COMPRESSIONS = {b"\x1f\x8b": gzip, b"BZ": bz2, b"\xfd7": lzma, b"]\0": lzma}
"""joblib's, by the first bytes of a file."""

OTHER_FORMS = {b"ZF", b'\x04"'}
"""joblib's before 0.10, and LZ4."""

CHUNK_BYTES = 1 << 20

GETATTR = "builtins", "getattr"
WRAPPER = "joblib.numpy_pickle", "NumpyArrayWrapper"
"""Stands before an array."""


class Unreadable(ValueError):
    """A pickle that is not read to its end. ``names``: what it had named by then."""

    def __init__(self, why: str, names: set[Name], *, breaks_off: bool) -> None:
        super().__init__(why)
        self.names = names
        self.breaks_off = breaks_off
        """Nothing is left, or what follows is no pickle: loading it comes no further."""


def names_in(file: Path) -> set[Name]:
    """Return what a file of pickle or joblib names. Raises OSError and Unreadable."""
    names = set[Name]()
    with _decompressed(file) as opened:
        try:
            _Reader(opened, names).load()
        except Exception as error:  # a pickle can raise anything
            breaks_off = isinstance(error, _NoOpcode) or _at_end(opened)
            raise Unreadable(type(error).__name__, names, breaks_off=breaks_off) from None
        if not _at_end(opened):
            raise Unreadable("it goes on behind its end", names, breaks_off=False)
    return names


def _at_end(opened: IO[bytes]) -> bool:
    try:
        return not opened.read(1)
    except Exception:  # of a damaged compression
        return False


def _decompressed(file: Path) -> IO[bytes]:
    with file.open("rb") as opened:
        start = opened.read(2)
        if start[:1] == b"x":  # zlib's; no pickle starts so
            opened.seek(0)
            try:
                return BytesIO(zlib.decompress(opened.read()))
            except zlib.error as error:
                raise Unreadable(type(error).__name__, set(), breaks_off=False) from None
    if start in OTHER_FORMS:
        raise Unreadable("joblib's older or rarer form", set(), breaks_off=False)
    if module := COMPRESSIONS.get(start):
        return module.open(file, "rb")  # type: ignore[no-any-return]
    return file.open("rb")


class _Inert:
    """Stands for a class, a function or an object of the pickle; it does nothing."""

    name: Name = "", ""
    names: ClassVar[set[Name]] = set()

    def __init__(self, *args: Any, **_: Any) -> None:
        self.args = args
        self.state: Any = None
        if self.name == GETATTR and len(args) > 1:
            self.name = ".".join(getattr(args[0], "name", ("", ""))), str(args[1])
            self.names.add(self.name)

    def __new__(cls, *_: Any, **__: Any) -> _Inert:
        return object.__new__(cls)

    def __call__(self, *_: Any, **__: Any) -> _Inert:
        return _Inert()

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, _: Any, __: Any) -> None:
        pass

    def append(self, _: Any) -> None:
        pass

    def extend(self, _: Any) -> None:
        pass

    def add(self, _: Any) -> None:
        pass


PythonUnpickler: Any = pickle._Unpickler
"""The one that is written in Python, whose steps can be replaced."""


class _NoOpcode(ValueError):
    """A byte where no pickle has one."""


class _Opcodes(dict[int, Any]):
    def __missing__(self, opcode: int) -> Any:
        raise _NoOpcode


class _Reader(PythonUnpickler):  # type: ignore[misc]
    def __init__(self, file: IO[bytes], names: set[Name]) -> None:
        super().__init__(file)
        self._file = file
        self._names = names

    def find_class(self, module: str, name: str) -> type:
        if self.proto < 3:  # Python 2's names
            module, name = _compat_pickle.NAME_MAPPING.get((module, name), (module, name))
            module = _compat_pickle.IMPORT_MAPPING.get(module, module)
        self._names.add((module, name))
        return type("Inert", (_Inert,), {"name": (module, name), "names": self._names})

    def load_frame(self) -> None:
        """Take a frame's length for no more than a hint, as the unpickler in C does."""
        self.read(8)

    def get_extension(self, code: int) -> None:
        raise pickle.UnpicklingError(f"an extension, {code}")

    def load_build(self) -> None:
        super().load_build()
        if self.stack[-1].__class__.__dict__.get("name") == WRAPPER:
            self.stack[-1] = self._pass_over_array(self.stack[-1].state)

    def _pass_over_array(self, state: dict[str, Any]) -> _Inert:
        """Go to where an array ends that joblib wrote behind its description."""
        kind = np.dtype(state["dtype"].args[0])
        if kind.hasobject:
            return _Reader(self._file, self._names).load()  # type: ignore[no-any-return]
        if state.get("numpy_array_alignment_bytes") is not None:
            self._file.read(int.from_bytes(self._file.read(1), "little"))
        left = math.prod(state["shape"]) * kind.itemsize
        while left > 0:
            part = self._file.read(min(left, CHUNK_BYTES))
            if not part:
                raise EOFError
            left -= len(part)
        return _Inert()

    dispatch = _Opcodes(
        PythonUnpickler.dispatch | {pickle.BUILD[0]: load_build, pickle.FRAME[0]: load_frame}
    )
