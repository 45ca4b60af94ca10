"""The media types of request bodies."""

import codecs

JSON, CSV = "application/json", "text/csv"

TENSORS = "Open Inference Protocol"
"""Not a media type, but JSON on the paths of that protocol."""

BOM = codecs.BOM_UTF8
"""The byte order mark that Windows' tools write before a body of either kind."""
