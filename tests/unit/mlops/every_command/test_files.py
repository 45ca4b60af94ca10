"""No command shows a traceback, whatever files it is given."""

from __future__ import annotations

import random
import socket
from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from commands import COMMANDS, FOUND, call, check
from examples import few_of

pytestmark = pytest.mark.slow

ROWS = ("x.csv", "x.json", "x.jsonl", "x.parquet", "x.npy")
FOLDER = ("folder/manifest.json", "folder/MLmodel", "folder/x.pkl")
READ: dict[str, Sequence[str]] = {
    "artifact": ("folder/manifest.json",),
    "data": ROWS,
    "deployment_file": ("x.yml",),
    "file": ROWS,
    "files": ROWS,
    "inputs": ROWS,
    "load": ("x.csv",),
    "manifests": ("x.yml", "folder/x.yml"),
    "model": ("x.pkl", "x.joblib", "x.sav", "x.skops", *FOLDER),
    "model_dir": FOLDER,
    "page": ("x.md",),
    "paths": ("x.yml", "folder/x.yml"),
    "predictions": ROWS,
    "region_file": ("x.toml",),
    "sample": ROWS,
    "truth": ROWS,
    "certificates": ("x.pem",),
    "code": ("own/steps.py",),
    "key": ("x.pem",),
    "requirements": ("requirements.txt",),
}
"""For each parameter, the names of the files that it reads; a folder stands for its content."""

LENIENT = {
    ("bom", "data"),
    ("rollout", "sample"),
    ("package", "code"),
    ("package", "requirements"),
}
"""Any data has a checksum. Any table is accepted: only the endpoint knows whether it takes its
rows. A number is a module, and a file of no lines lists no packages."""

ALIASES = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
CONTENTS: dict[str, bytes] = {
    "nothing": b"",
    "bytes": random.Random(1).randbytes(2000),
    "zeros": bytes(2000),
    "a number": b"5",
    "null": b"null",
    "a list": b"[1, null, {}]",
    "an object": b'{"schema": 1, "data": 5, "contract": null, "flavors": []}',
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "deep YAML": "".join(f"{' ' * n}a:\n" for n in range(2000)).encode(),
    "aliases": ALIASES.encode(),
    "a number of 6,000 digits": b"a: " + b"9" * 6000,
    "a hexadecimal number": b"$schema: 0x" + b"f" * 6000,
    "Python in YAML": b"a: !!python/object/apply:os.system [false]",
    "odd tags": b"a: !!int\nb: !!timestamp x\nc: !!bool x\n",
    "an unfinished pickle": b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f",
    "a pickle of a number": b"\x80\x04K\x05.",
    "an archive": b"PK\x03\x04" + bytes(40),
}

KEPT = ("nothing", "bytes", "an object", "deep lists", "aliases", "an unfinished pickle")
"""Those of `make test`; the others break the same readers."""

READING = [
    (name, parameter.name)
    for name, command in sorted(FOUND.items())
    for parameter in command.params
    if (isinstance(parameter.type, click.Path) and parameter.type.exists)
    or parameter.name == "load"
]
WRITING = [
    (name, parameter.name)
    for name, command in sorted(FOUND.items())
    for parameter in command.params
    if isinstance(parameter.type, click.Path) and not parameter.type.exists
]


def test_every_command_is_driven():
    """A new command must be added to ``COMMANDS``, and its files to ``READ``."""
    assert FOUND.keys() == COMMANDS.keys()
    assert {parameter for _, parameter in READING} == READ.keys()


def unusual(folder: Path) -> dict[str, Path]:
    """Make places that are not readable files, not even for root."""
    (folder / "empty").mkdir()
    (folder / "itself").symlink_to(folder / "itself")
    (folder / "nowhere").symlink_to(folder / "missing")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(folder / "socket"))
    return {
        name: folder / name for name in ("missing", "empty", "itself", "nowhere", "socket", "a/b")
    }


@pytest.mark.parametrize(("name", "parameter"), READING)
def test_an_unreadable_file_is_one_sentence(
    good: Path, tmp_path: Path, refusing: str, name: str, parameter: str
):
    """A missing file, a folder, a socket, a link to itself or an unreadable file is reported."""
    places = unusual(tmp_path)
    for number, file in enumerate(READ[parameter]):
        path = tmp_path / str(number) / file
        path.parent.mkdir(parents=True)
        path.symlink_to("/proc/self/mem")  # may be opened; reading fails
        places[file] = path.parent if "/" in file else path
    for label, place in places.items():
        result = call(name, good, {parameter: place}, refusing)
        check(result, expected=True)
        assert result.exit_code != 0, (label, result.output)


@pytest.mark.parametrize("contents", few_of(CONTENTS, KEPT))
@pytest.mark.parametrize(("name", "parameter"), READING)
def test_a_file_that_holds_anything_is_one_sentence(
    good: Path, tmp_path: Path, refusing: str, name: str, parameter: str, contents: str
):
    """Empty, binary, deep, huge and hostile files are reported, under each name that is read; more
    of them in `make deep`."""
    for number, file in enumerate(READ[parameter]):
        path = tmp_path / str(number) / file
        path.parent.mkdir(parents=True)
        path.write_bytes(CONTENTS[contents])
        given = path.parent if "/" in file else path
        result = call(name, good, {parameter: given}, refusing)
        check(result, expected=True)
        assert (result.exit_code != 0) or (name, parameter) in LENIENT, (file, result.output)


@pytest.mark.parametrize(("name", "parameter"), WRITING)
def test_a_place_that_can_not_be_written_is_one_sentence(
    good: Path, tmp_path: Path, name: str, parameter: str
):
    """A file instead of a folder, or a place below a file, is reported."""
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        check(call(name, good, {parameter: place}), expected=True)


TEXTS = [
    (name, parameter.name)
    for name, command in sorted(FOUND.items())
    for parameter in command.params
    if isinstance(parameter.type, click.types.StringParamType)
    and (name, parameter.name) not in READING
]


@pytest.mark.parametrize(("name", "parameter"), TEXTS)
def test_a_word_that_makes_no_sense_is_one_sentence(
    good: Path, tmp_path: Path, refusing: str, name: str, parameter: str
):
    """Empty, long, foreign and unprintable texts are reported, for any text of a command."""
    for word in (
        " ",
        "é",
        "\x1b[31m",
        "two\nlines",
        "../x",
        "a=[[[",
        "maxReplicas=1e999",
        "=",
        "x" * 5000,
        "\udc80",
    ):
        check(call(name, good, {parameter: word, "out": tmp_path / "out"}, refusing), expected=True)
