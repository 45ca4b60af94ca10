"""Files, chunk by chunk: what is read of them does not depend on where a chunk ends."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import support
from azureml_scoring.batch import csv_records, numbers
from azureml_scoring.batch.files import ChunkSize, chunks
from azureml_scoring.batch.rows import CsvRows, Rules
from azureml_scoring.batch.scored_chunk import ChunkScorer
from azureml_scoring.errors import ClientError, MalformedArrow, MalformedParquet, WrongFeatures
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import TEXT, Feature
from azureml_scoring.inputs.limits import Limits
from examples import at_most

NUMBERS = Contract((Feature("a"), Feature("b", missing=True)), ("predict",))
MIXED = Contract((Feature("a"), Feature("b", TEXT, missing=True)), ("predict",))
ONE = Contract((Feature("a", missing=True),), ("predict",))
CONTRACTS = {"numbers": NUMBERS, "mixed": MIXED, "one": ONE}

CELLS = [
    "1",
    "-2.5",
    "",
    "x",
    " 7",
    "+3",
    "1e999",
    "nan",
    '"q"',
    '"a,b"',
    '"two\nlines"',
    '"',
    'a"b',
]
ENDS = ["\n", "\r\n"]

Read = tuple[list[tuple[int, Any]], list[tuple[int, str, str]]]


def rules(contract: Contract) -> Rules:
    return Rules(contract, Limits(2**60, 32, 2**60, 2**60))


def read(path: Path, contract: Contract, size: ChunkSize) -> Read:
    """The row and the values of each good row, and the row, the column and the code of each bad
    one."""
    model = support.model(contract, predict=lambda batch: [str(row) for row in batch.X.tolist()])
    scorer = ChunkScorer(model, "predict", b"", null_for_non_finite=False)
    good: list[tuple[int, Any]] = []
    bad: list[tuple[int, str, str]] = []
    row = 0
    for chunk in chunks(path, rules(contract), size):
        scored = scorer(chunk)
        good += zip((row + scored.places).tolist(), scored.answers, strict=True)
        bad += [(row + one.place, one.column, one.error.code) for one in scored.bad]
        row += scored.rows
    assert sorted([place for place, *_ in [*good, *bad]]) == list(range(row))
    return good, bad


@pytest.mark.parametrize("kind", CONTRACTS)
@settings(max_examples=at_most(60), deadline=None)
@given(data=st.data())
def test_a_chunk_may_end_anywhere(tmp_path_factory: pytest.TempPathFactory, kind: str, data: Any):
    """Any size of chunks gives the same rows and the same errors, quotes and blank lines
    included."""
    contract = CONTRACTS[kind]
    width = len(contract.features)
    line = st.lists(st.sampled_from(CELLS), min_size=width, max_size=width).map(",".join)
    blank, long = st.just(""), st.just("1,2,3")
    lines = data.draw(st.lists(st.one_of(line, line, line, blank, long), max_size=12))
    text = data.draw(st.sampled_from(ENDS)).join([",".join("ab"[:width]), *lines])
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    path.write_bytes(text.encode() + data.draw(st.sampled_from([b"", b"\n", b"\n\n", b"\n\xff,1"])))
    whole = read(path, contract, ChunkSize())
    assert read(path, contract, ChunkSize(data.draw(st.integers(1, 60)))) == whole


@settings(max_examples=at_most(60), deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.floats().map(repr), st.integers().map(str), st.sampled_from(CELLS[:8])),
            st.floats(allow_nan=False, allow_infinity=False).map(repr),
        ),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(["float64", "float32", "int64"]),
)
def test_columns_of_numbers_are_read_alike_fast_and_one_by_one(
    rows: Sequence[tuple[str, str]], dtype: str
):
    """The fast reader has the general one's bits, or leaves the rows to it."""
    contract = Contract((Feature("a", dtype, missing=True), Feature("b")), ("predict",))
    block = "".join(f"{a},{b}\n" for a, b in rows).encode()
    fast = numbers.of_csv(block, 2, [0, 1], contract)
    if fast is not None:
        records = csv_records.records(block, one_column=False)
        general = CsvRows(records, ["a", "b"], rules(contract)).matrix()
        assert (fast.dtype, fast.tobytes()) == (general.dtype, general.tobytes())


def test_plain_numbers_are_read_fast():
    """The fast reader does not leave them to the general one."""
    X = numbers.of_csv(b"1,2.5\r\n-0.0,\r\n", 2, [0, 1], NUMBERS)
    assert X is not None
    assert X[:, 0].tolist() == [1.0, 0.0]
    assert math.copysign(1, X[1, 0]) == 1
    assert np.isnan(X[1, 1])


def written(folder: Path, table: Any) -> list[Path]:
    """The table in each form."""
    rows = table.to_pylist()
    names = table.column_names
    cells = [["" if row[name] is None else str(row[name]) for name in names] for row in rows]
    files = [folder / f"x{end}" for end in (".csv", ".jsonl", ".parquet", ".feather", ".arrow")]
    files[0].write_text("\n".join(map(",".join, [names, *cells])))
    files[1].write_text("".join(f"{line}\n" for line in map(_json, rows)))
    pyarrow.parquet.write_table(table, files[2], row_group_size=7)
    pyarrow.feather.write_feather(table, files[3], compression="uncompressed", chunksize=5)
    with pa.ipc.new_stream(files[4], table.schema) as stream:
        stream.write_table(table, max_chunksize=4)
    return files


def _json(row: dict[str, Any]) -> str:
    import json

    return json.dumps(row)


@pytest.mark.parametrize("rows", [1, 3, 1000])
def test_each_form_of_a_file_gives_the_same_rows(tmp_path: Path, rows: int):
    """Columns are found by name, further ones are ignored, and nulls are missing values."""
    table = pa.table(
        {
            "b": [f"t{place}" if place % 3 else None for place in range(20)],
            "more": list(range(20)),
            "a": [place / 2 for place in range(20)],
        }
    )
    read_rows = [read(path, MIXED, ChunkSize(10 * rows, rows)) for path in written(tmp_path, table)]
    assert len(read_rows[0][0]) == 20
    assert all(one == read_rows[0] for one in read_rows)


def test_bad_rows_name_their_column_in_each_form(tmp_path: Path):
    """The others are scored."""
    lines = [
        '{"a": 1, "b": "x"}',
        '{"a": "one", "b": "x"}',
        "5",
        '{"a": 1}, {"a": 2}',
        "{",
        '{"a": 1, "a": 2, "b": "x"}',
    ]
    (tmp_path / "x.jsonl").write_text("\n\n".join(lines))
    good, bad = read(tmp_path / "x.jsonl", MIXED, ChunkSize())
    assert [place for place, _ in good] == [0]
    assert bad == [
        (1, "a", "wrong_type"),
        (2, "", "wrong_shape"),
        (3, "", "malformed_json"),
        (4, "", "malformed_json"),
        (5, "a", "wrong_features"),
    ]
    pyarrow.parquet.write_table(
        pa.table({"b": ["x", "y"], "a": [None, 1.0]}), tmp_path / "x.parquet"
    )
    good, bad = read(tmp_path / "x.parquet", MIXED, ChunkSize())
    assert bad == [(0, "a", "missing_value")]


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("x.csv", b"c,d\n1,2\n", WrongFeatures),
        ("x.csv", b"a,a,b\n1,2,3\n", WrongFeatures),
        ("x.csv", b'"a,b\n1,2\n', ClientError),
        ("x.parquet", b"PAR1 and no more", MalformedParquet),
        ("x.arrow", b"no arrow", MalformedArrow),
        ("x.txt", b"a,b\n", ClientError),
    ],
)
def test_a_file_that_is_bad_as_a_whole_is_told(
    tmp_path: Path, name: str, content: bytes, error: type[ClientError]
):
    """Its rows are not told one by one."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error):
        read(tmp_path / name, NUMBERS, ChunkSize())


@pytest.mark.parametrize("content", [b"", b"a,b\n", b"\n\n", b"a,b"])
def test_a_file_without_rows_is_empty(tmp_path: Path, content: bytes):
    """It is no error: a day without customers has none."""
    (tmp_path / "x.csv").write_bytes(content)
    assert read(tmp_path / "x.csv", NUMBERS, ChunkSize()) == ([], [])


def test_a_block_ends_where_a_record_ends():
    """Not at a line end within quotes."""
    text = b'1,"a\nb"\n2,c\n3,"d\n\ne"\n4,f'
    for size in range(1, len(text) + 1):
        blocks = [*csv_records.blocks(io.BytesIO(text), size, one_column=False)]
        records = [csv_records.records(block, one_column=False) for block in blocks]
        assert [*itertools.chain(*records)] == [
            ["1", "a\nb"],
            ["2", "c"],
            ["3", "d\n\ne"],
            ["4", "f"],
        ]
