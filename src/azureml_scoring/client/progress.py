"""A progress bar, if tqdm is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_of(total: int, shown: bool) -> Iterator[Callable[[int], object]]:
    """Yield the function to call with the number of rows that are done."""
    if shown:
        try:
            from tqdm import tqdm  # type: ignore[import-untyped]
        except ModuleNotFoundError:
            pass
        else:
            with tqdm(total=total, unit="row") as bar:
                yield bar.update
            return
    yield lambda rows: None
