"""The forms of an answer beside JSON."""
