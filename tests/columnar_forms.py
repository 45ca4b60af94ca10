"""The binary forms in which a request may hold the same rows as one of ``forms``."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from azureml_scoring import errors
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.media_types import ARROW, ARROW_FILE, NPY, PARQUET
from forms import Rows, columns
from validation import validate


def table(names: Sequence[str], rows: Rows) -> pa.Table:
    """Raises pa.ArrowInvalid if a column holds values of several types."""
    return pa.table(columns(names, rows))


def as_parquet(sent: pa.Table, **options: Any) -> tuple[bytes, str]:
    file = io.BytesIO()
    pyarrow.parquet.write_table(sent, file, **options)
    return file.getvalue(), PARQUET


def as_stream(sent: pa.Table, compression: str | None = None) -> tuple[bytes, str]:
    return _ipc(pa.ipc.new_stream, sent, compression), ARROW


def as_file(sent: pa.Table, compression: str | None = None) -> tuple[bytes, str]:
    return _ipc(pa.ipc.new_file, sent, compression), ARROW_FILE


def _ipc(new: Any, sent: pa.Table, compression: str | None) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with new(sink, sent.schema, options=options) as writer:
        writer.write_table(sent)
    return bytes(sink.getvalue().to_pybytes())


def as_npy(array: Any) -> tuple[bytes, str]:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue(), NPY


def with_dictionaries(sent: pa.Table) -> pa.Table:
    return pa.table({name: sent[name].dictionary_encode() for name in sent.column_names})


FORMS = {
    "Parquet": as_parquet,
    "Parquet without dictionaries": lambda sent: as_parquet(
        sent, use_dictionary=False, compression="zstd", data_page_version="2.0"
    ),
    "Arrow stream": as_stream,
    "Arrow stream, packed": lambda sent: as_stream(sent, "zstd"),
    "Arrow stream of dictionaries": lambda sent: as_stream(with_dictionaries(sent)),
    "Arrow file": as_file,
    "Arrow file, packed": lambda sent: as_file(sent, "lz4"),
}
"""Form of a table -> the body and its media type."""


def refusal(
    body: bytes, contract: Contract, media_type: str, limits: Limits | None = None
) -> errors.ClientError:
    with pytest.raises(errors.ClientError) as caught:
        validate(body, contract, limits or Limits(), media_type)
    return caught.value
