"""Counters that the worker processes of one server share, in a mapped file."""
