"""Splits a CSV into blocks of whole records, and a block into records.

A record that can't be read costs itself only: reading goes on with the next line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from azureml_scoring.batch.rows import Record

CODEC = {"encoding": "utf-8", "errors": "surrogateescape"}
"""Bytes that are not UTF-8 stay what they are."""


def blocks(file: BinaryIO, size: int, *, one_column: bool) -> Iterator[bytes]:
    """Yield the rest of a file in blocks of about ``size`` bytes that end where a record ends.

    ``one_column``: a blank line is a gap, unless it is among the last ones of the file.
    """
    rest = b""
    while data := file.read(size):
        rest += data
        cut = _end_of_records(rest)
        if one_column:
            cut = _before_blank_lines(rest[:cut])
        if cut:
            yield rest[:cut]
            rest = rest[cut:]
    if one_column:
        rest = rest.rstrip(b"\r\n")
    if rest:
        yield rest


def records(block: bytes, *, one_column: bool) -> list[Record]:
    """Return the records of a block that ``blocks`` has yielded."""
    everything, _ = _read(_lines(block), is_last=True)
    if one_column:
        return [[""] if record == [] else record for record in everything]
    return [record for record in everything if record != []]


def first_record(block: bytes) -> tuple[list[str], bytes]:
    """Return the first record that is not blank, and the bytes behind it. Raises csv.Error."""
    lines = iter(_lines(block))
    for record in csv.reader(lines, strict=True):
        if record:
            return record, "".join(lines).encode(**CODEC)
    return [], b""


def _end_of_records(block: bytes) -> int:
    if b'"' not in block:
        return block.rfind(b"\n") + 1
    end = block.rfind(b"\n") + 1
    lines = _lines(block[:end])
    _, count = _read(lines, is_last=False)
    return len("".join(lines[:count]).encode(**CODEC))


def _before_blank_lines(block: bytes) -> int:
    """Return the end of the last line that is not blank."""
    return block.find(b"\n", len(block.rstrip(b"\r\n"))) + 1 if block.strip(b"\r\n") else 0


def _lines(block: bytes) -> list[str]:
    return list(io.StringIO(block.decode(**CODEC), newline=""))


def _read(lines: Sequence[str], *, is_last: bool) -> tuple[list[Record], int]:
    """Return the records, and how many lines they have. Unless these lines are the last, a record
    that seems to go on behind them is left."""
    result: list[Record] = []
    done = 0  # lines of the records so far
    while done < len(lines):
        feed = _Feed(lines, done)
        try:
            for record in csv.reader(feed, strict=True):
                result.append(record if _is_utf8(record) else None)
                done = feed.place
        except csv.Error:
            if feed.place == len(lines) and not is_last:
                break
            result.append(None)
            done += 1
    return result, done


class _Feed:
    """An iterator over lines that knows its place."""

    def __init__(self, lines: Sequence[str], place: int) -> None:
        self._lines = lines
        self.place = place

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        if self.place == len(self._lines):
            raise StopIteration
        self.place += 1
        return self._lines[self.place - 1]


def _is_utf8(record: list[str]) -> bool:
    text = "".join(record)
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
