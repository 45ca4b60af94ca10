"""What the worker processes of one server share: counters in a mapped file."""
