"""The media types of request bodies."""

JSON, CSV = "application/json", "text/csv"
