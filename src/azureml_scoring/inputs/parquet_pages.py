"""Reads from a Parquet file how large its pages unpack, before they are.

pyarrow does not show the headers of pages, and ends the process at some damaged footers when it is
asked for what a column's metadata says. Both are structs of Thrift's compact protocol:
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from azureml_scoring.inputs.compact_thrift import I32, I64, LIST, STRUCT, CompactReader

MAGIC = b"PAR1"

DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY = 6, 7
"""Encodings of texts. A page of either may unpack to any size: the first says in a few bytes that
there are millions of lengths, the second repeats what a text has in common with the one before."""

UNPACKED, PACKED, DATA_PAGE, DATA_PAGE_V2 = (2, I32), (3, I32), (5, STRUCT), (8, STRUCT)
"""Fields of PageHeader, each with its type: Thrift skips a field of another one."""

ENCODING, ENCODING_V2 = (2, I32), (4, I32)
ROW_GROUPS, COLUMNS, COLUMN_METADATA = (4, LIST), (1, LIST), (3, STRUCT)
VALUES, SIZE, DATA_OFFSET, DICTIONARY_OFFSET = (5, I64), (7, I64), (9, I64), (11, I64)

MAX_FOOTER_FIELDS = 200_000
MAX_PAGE_FIELDS = 100
"""Of a page's header; it has about thirty."""

PAGES_WITHOUT_VALUES = 2
"""Of a column in a row group: the dictionary, and one that is empty."""


class Page(NamedTuple):
    unpacked_bytes: int
    encodings: set[Any]


def column_pages(body: bytes, leaves: set[int], width: int, rows: int) -> Iterator[Page]:
    """Yield the pages of these columns of a file. Raises ValueError.

    ``width``: of all columns; ``rows``: of the file. A column of more values is refused: pyarrow
    reads as many as the column says, and a page of a few bytes may hold any number of equal ones.
    """
    if len(body) < 12 or not body.startswith(MAGIC) or not body.endswith(MAGIC):
        raise ValueError("The file does not begin and end as Parquet.")
    end = len(body) - 8
    length = int.from_bytes(body[end : end + 4], "little")
    if length > end:
        raise ValueError("The footer is longer than the file.")
    values = dict.fromkeys(leaves, 0)
    footer = CompactReader(body, end - length, MAX_FOOTER_FIELDS).struct()
    for group in _needed(footer, ROW_GROUPS):
        columns = _needed(group, COLUMNS)
        if len(columns) != width:
            raise ValueError("A row group does not have all columns.")
        for leaf, column in enumerate(columns):
            metadata = _needed(column, COLUMN_METADATA)
            start, dictionary = _needed(metadata, DATA_OFFSET), metadata.get(DICTIONARY_OFFSET, 0)
            if 0 < dictionary < start:
                start = dictionary
            last = start + _needed(metadata, SIZE)
            if not 0 <= start <= last <= end:
                raise ValueError("A column lies outside of the file.")
            if leaf in leaves:
                count = _needed(metadata, VALUES)
                values[leaf] += count
                if count < 0 or values[leaf] > rows:
                    raise ValueError("A column does not have as many values as the file has rows.")
                yield from pages(body, start, last, count + PAGES_WITHOUT_VALUES)


def _needed(struct: Any, field: tuple[int, int]) -> Any:
    if not isinstance(struct, dict) or struct.get(field) is None:
        raise ValueError("A field is missing.")
    return struct[field]


def pages(body: bytes, start: int, end: int, most: int) -> Iterator[Page]:
    """Yield the pages of a column between these places. Raises ValueError, also if there are more
    than ``most``."""
    while start < end:
        most -= 1
        if most < 0:
            raise ValueError("A column has more pages than values.")
        reader = CompactReader(body, start, MAX_PAGE_FIELDS)
        header = reader.struct()
        unpacked, packed = _needed(header, UNPACKED), _needed(header, PACKED)
        if unpacked < 0 or packed < 0:
            raise ValueError("A page has fewer than no bytes.")
        encodings = {
            detail.get(field)
            for detail, field in (
                (header.get(DATA_PAGE), ENCODING),
                (header.get(DATA_PAGE_V2), ENCODING_V2),
            )
            if isinstance(detail, dict)
        }
        yield Page(unpacked, encodings)
        start = reader.at + packed
        if start > end:  # pyarrow would read the size's lower 32 bits, and go on behind them
            raise ValueError("A page reaches beyond its column.")
