"""Packaging says what a pickle would call, and does not load one that calls something harmful."""

import _compat_pickle
import bz2
import contextlib
import gzip
import importlib
import lzma
import os
import pickle
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import support
from azureml_scoring.errors import StartupError
from mlops import pickle_reader, pickled_code, pickled_names
from mlops.exit_status import ExitStatus
from package_command import package


class Calls:
    """A pickle that calls a function when it is loaded."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.reduced = function, arguments

    def __reduce__(self) -> Any:
        return self.reduced


HARMFUL = {
    "os": os.system,
    "subprocess": subprocess.Popen,
    "eval": eval,
    "importlib": importlib.import_module,
    "sys": sys.exit,
    "numpy.load": np.load,
}


def lines(file: Path, *trust: str) -> list[str]:
    said: list[str] = []
    pickled_code.check(file, trust, said.append)
    return said


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same two models in each form in which they are saved, one with arrays of objects."""
    folder = tmp_path_factory.mktemp("models")
    files = []
    for name, model in {"numbers": support.plain_regression(), "mixed": support.mixed()}.items():
        for compression in (0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)):
            files.append(folder / f"{name}-{len(files)}.joblib")
            joblib.dump(model, files[-1], compress=compression)
        for protocol in range(6):
            files.append(folder / f"{name}-{len(files)}.pkl")
            files[-1].write_bytes(pickle.dumps(model, protocol))
    return files


def test_the_names_are_those_that_loading_looks_up(models: list[Path]):
    """In each protocol and compression, without loading: compared with Python's audit events."""
    for file in models:
        with pickled_names.recorded() as names:
            joblib.load(file)
        names = {
            (_compat_pickle.IMPORT_MAPPING.get(module, module), name) for module, name in names
        }
        assert names <= pickle_reader.names_in(file), file.name
        (line,) = lines(file)
        assert "numpy" in line


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("harmful", HARMFUL)
def test_a_harmful_function_is_refused(tmp_path: Path, harmful: str, protocol: int):
    """In any protocol, unless whoever packages it names it."""
    file = tmp_path / "model.pkl"
    file.write_bytes(pickle.dumps([1, Calls(HARMFUL[harmful], "x")], protocol))
    with pytest.raises(StartupError, match=r"--trust [\w.]+`") as error:
        lines(file)
    name = str(error.value).split("--trust ")[1].strip("`.")
    assert lines(file, name)


def test_it_is_not_loaded_by_packaging(tmp_path: Path, uncompiled: None):
    """The command names the function, and does not call it."""
    note = tmp_path / "note"
    result = package(tmp_path, [1, Calls(os.mkdir, str(note))], "a,b\n1,2\n")
    assert result.exit_code == ExitStatus.UNUSABLE
    assert "mkdir, which models do not need" in result.output
    assert not note.exists()


def test_packaging_says_what_is_called(tmp_path: Path, uncompiled: None):
    """The user's own classes by name, libraries' by package."""
    estimator, frame = support.plain_regression()
    result = package(tmp_path, estimator, frame.set_axis(["a", "b"], axis=1))
    assert "loading model.joblib calls joblib, numpy, sklearn\n" in result.output


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04\x8c\x0fjoblib.parallel\x8c\x09os.system\x93\x8c\x02id\x85R.",
        b"\x80\x04\x8c\x06joblib\x8c\x02os\x93.",
        b"\x80\x04\x8c\x02os\x940\x8c\x06system\x940h\x00h\x01\x93\x8c\x02id\x85R.",
        b"cos\nsystem\n(S'id'\ntR.",
        b"(S'id'\nios\nsystem\n.",
        b"\x80\x02c__builtin__\neval\n(X\x01\x00\x00\x001tR.",
        b"\x80\x02ccommands\ngetoutput\n(X\x01\x00\x00\x001tR.",
        b"cbuiltins\ngetattr\n(cjoblib\nparallel\nS'os'\ntR.",
        b"\x80\x04\x8c\x06joblib\x8c\x1enumpy_pickle.NumpyArrayWrapper\x93.",
    ],
    ids=[
        *("dotted", "a module", "from the memo", "protocol 0", "INST", "Python 2", "its commands"),
        *("getattr", "joblib's wrapper by another name"),
    ],
)
def test_a_hidden_name_is_seen(tmp_path: Path, content: bytes):
    """However the pickle spells it."""
    file = tmp_path / "model.pkl"
    for compressed in (content, bz2.compress(content)):
        file.write_bytes(compressed)
        with pytest.raises(StartupError, match="models do not need"):
            lines(file)


def test_what_can_not_be_read_is_not_loaded(tmp_path: Path):
    """Something that only running it would show is refused; who made the file may permit it."""
    file = tmp_path / "model.pkl"
    for content in (b"\x80\x04K\x01K\x02R\x8c\x02os\x8c\x06system\x93.", b"ZFx", b'\x04"M\x18'):
        file.write_bytes(content)
        with pytest.raises(StartupError, match=r"add `--trust model\.pkl`"):
            lines(file)
        assert lines(file, "model.pkl") == []


@pytest.mark.parametrize("opener", [bz2.open, gzip.open, lzma.open])
def test_a_damaged_compression_hides_nothing(tmp_path: Path, opener: Any):
    """What was named before the damage counts."""
    file = tmp_path / "model.pkl"
    with opener(file, "wb") as opened:
        opened.write(b"cos\nsystem\n(S'id'\ntR0" + random.Random(1).randbytes(99_999))
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2 :] = bytes(len(damaged) // 2)
    file.write_bytes(damaged)
    with pytest.raises(StartupError, match=r"models do not need|can't be read"):
        lines(file)


def test_what_follows_its_end_is_not_overlooked(tmp_path: Path):
    """Another reader may see the end elsewhere."""
    file = tmp_path / "model.pkl"
    file.write_bytes(b"K\x01.cos\nsystem\n(S'id'\ntR.")
    with pytest.raises(StartupError, match="goes on behind its end"):
        lines(file)


def test_a_file_that_breaks_off_is_left_to_its_own_message(tmp_path: Path):
    """Loading comes no further either."""
    file = tmp_path / "model.pkl"
    file.write_bytes(pickle.dumps(support.plain_regression()[0])[:-20])
    assert lines(file)
    for content in (b"", b"no pickle"):
        file.write_bytes(content)
        assert lines(file) == []


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda b: b"\x80\x04" + b))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    """Nothing else is raised, whatever the file holds."""
    file = tmp_path_factory.getbasetemp() / "any.pkl"
    file.write_bytes(content)
    with contextlib.suppress(OSError, pickle_reader.Unreadable):
        pickle_reader.names_in(file)
