"""Makes freed memory go back to the system, whichever thread had it.

glibc keeps freed memory for later: up to 64 MB in each thread that ever held a large body. Other
allocators (musl, macOS, jemalloc by LD_PRELOAD) do not have these options or ignore them.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Options of glibc's malloc.h."""

MIN_MAPPED_BYTES = 1_048_576
"""Blocks of this size or more are mapped on their own, and unmapped when they are freed. Once set,
the threshold no longer grows."""

MAX_FREE_BYTES = 8 * MIN_MAPPED_BYTES
"""May stay free at the end of an arena, so that ordinary requests need no system call."""

MAX_ARENAS = 4
"""More would help only if threads allocated at once, but the interpreter runs one at a time."""


def give_back_what_is_freed(environ: Mapping[str, str] = os.environ) -> bool:
    """Set glibc's options; call it before there are threads.

    False without glibc, or if the environment sets the options itself (MALLOC_...).
    """
    chosen = any(name.startswith("MALLOC_") for name in environ) or "glibc.malloc" in environ.get(
        "GLIBC_TUNABLES", ""
    )
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if chosen or mallopt is None:
        return False
    options = {
        M_MMAP_THRESHOLD: MIN_MAPPED_BYTES,
        M_TRIM_THRESHOLD: MAX_FREE_BYTES,
        M_ARENA_MAX: MAX_ARENAS,
    }
    return all(mallopt(option, value) for option, value in options.items())
