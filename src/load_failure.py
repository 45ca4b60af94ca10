"""What is wrong with a model's file that can't be loaded, and what to do, in one sentence."""

from __future__ import annotations

import lzma
import pickle
import re
import struct
import zipfile
import zlib
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from errors import reason
from manifest import running_versions

DAMAGED = (
    EOFError, IndexError, MemoryError, UnicodeDecodeError, lzma.LZMAError, pickle.UnpicklingError, struct.error,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What readers of pickles and archives raise where bytes are missing or make no sense."""

VERSION = re.compile(
    rb"_sklearn_version(?:q.|r.{4}|\x94|\np\d+)?(?:X.{4}|\x8c.|\nV)(\d+(?:\.\d+)+(?:(?:\.dev|\.post|a|b|rc)\d+)?)",
    re.DOTALL,
)
"""A pickle's text and the one that follows it, in each protocol: scikit-learn's estimators all hold this one."""

LFS_POINTER = b"version https://git-lfs"
LOOKED_AT = 256_000_000
"""Bytes, once they are decompressed."""

SERVED_FROM = (1, 5)
"""The oldest scikit-learn that setup.cfg lets be installed here."""


def sentence(error: BaseException, file: Path, saved: dict[str, str]) -> str:
    """``saved``: package -> version, as far as it is known from elsewhere."""
    name, why = file.name, reason(error)
    data = _bytes(file)
    if data.startswith(LFS_POINTER):
        return f"{name} is a pointer of Git LFS, not the model; run `git lfs pull` and upload it again."
    if _damaged(error) or _incomplete(file, data):
        return f"{name} is damaged or incomplete, or no model ({why}); save it and upload it again."
    if isinstance(error, ModuleNotFoundError) and (package := _missing(error)):
        return (
            f"{name} needs the Python module {error.name}, which is not installed; add its package, here and to the "
            f"images, by `make lock ADD={package.replace('_', '-')}` in the repository, or put its source beside "
            "score.py."
        )
    if isinstance(error, AttributeError) and "__main__" in str(error):
        return (
            f"{name} needs a class of the script that it was trained in ({error}); put it into a module beside "
            "score.py, import it from there when training, and save the model again."
        )
    version = saved.get("scikit-learn") or saved_version(data)
    running = running_versions()["scikit-learn"]
    if version and version != running:
        return f"{name} can't be loaded ({why}): it was saved with scikit-learn {version} and {running} runs here; " + (
            way_out(version, running)
        )
    versions = ", ".join(f"{package} {number}" for package, number in saved.items())
    install = f"install {versions or 'the versions it was saved with'}"
    return f"{name} can't be loaded ({why}); is it a scikit-learn model? If so {install}."


def way_out(saved: str, running: str) -> str:
    """From one version of scikit-learn to the one that runs."""
    again = f"train and save it again with {running}"
    if tuple(map(int, re.findall(r"\d+", saved)[:2])) < SERVED_FROM:
        return f"{again}: no version that serves here reads it."
    return f"{again}, or install scikit-learn {saved}."


def saved_version(data: bytes) -> str | None:
    """Of scikit-learn, off a pickle that is not loaded: each of its estimators holds it."""
    found = VERSION.search(data)
    return found and found[1].decode()


def _missing(error: ModuleNotFoundError) -> str | None:
    """The top of the module's name; None where that is installed, in a version that lacks the module."""
    package = (error.name or "").partition(".")[0]
    return package if package and find_spec(package) is None else None


def _damaged(error: BaseException) -> bool:
    unknown_opcode = isinstance(error, KeyError) and isinstance(error.args[0], int)
    array_cut = isinstance(error, ValueError) and "EOF: reading array data" in str(error)
    return isinstance(error, DAMAGED) or unknown_opcode or array_cut


def _incomplete(file: Path, data: bytes) -> bool:
    """A pickle ends with its opcode STOP."""
    pickled = file.suffix.lower() != ".skops" and len(data) < LOOKED_AT
    return not data or (pickled and not data.rstrip(b"\n").endswith(pickle.STOP))


def _bytes(file: Path) -> bytes:
    """Decompressed, where joblib compressed them."""
    data = b""
    with suppress(OSError), file.open("rb") as opened:
        data = opened.read(LOOKED_AT)
    with suppress(zlib.error):
        data = zlib.decompressobj(wbits=47).decompress(data, LOOKED_AT)  # zlib's header or gzip's
    return data
