"""The media types of request bodies."""

import codecs

JSON, CSV = "application/json", "text/csv"
NPY = "application/x-npy"
PARQUET = "application/vnd.apache.parquet"
ARROW, ARROW_FILE = "application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file"

TENSORS = "Open Inference Protocol"
"""Not a media type, but JSON on the paths of that protocol."""

BINARY_TENSORS = "Open Inference Protocol, with binary tensors"
"""Its JSON, and binary tensors behind it; see ``binary_tensors.framed``."""

BODIES = (JSON, CSV, NPY, PARQUET, ARROW, ARROW_FILE)
"""What ``/score`` takes."""

NEVER_INLINE = {PARQUET, ARROW, ARROW_FILE}
"""What is not read on the event loop: pyarrow takes long to import, and a few kilobytes may unpack
to megabytes."""

BOM = codecs.BOM_UTF8
"""The byte order mark that Windows' tools write before JSON or a CSV."""
