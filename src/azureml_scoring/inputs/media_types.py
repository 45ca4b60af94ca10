"""The media types of request bodies."""

JSON, CSV = "application/json", "text/csv"

TENSORS = "Open Inference Protocol"
"""Not a media type, but JSON on the paths of that protocol."""
