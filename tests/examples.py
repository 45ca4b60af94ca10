"""How many examples Hypothesis tries."""

from hypothesis import settings


def at_most(count: int) -> int:
    """Return the count, or the profile's if that is lower, as it may be in all but `make deep`."""
    return min(count, settings().max_examples)
