"""The scoring service: everything behind score.py, validation.py and cache.py."""
