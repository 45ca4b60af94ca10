"""Memory that was freed goes back to the system, whichever thread had it.

glibc keeps it for the next time: up to 64 MB in each thread that ever held a large body. Other
allocators (musl, macOS, jemalloc by LD_PRELOAD) have no such options, or take no notice of them.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Of glibc's malloc.h."""

BLOCK = 1_048_576
"""Bytes from which on each block is mapped by itself, and unmapped when it is freed. Said once, it
no longer grows."""

KEPT = 8 * BLOCK
"""Bytes at the end of an arena that may stay free, so that ordinary requests need no system
call."""

ARENAS = 4
"""More would only help threads that all ask for memory at once, and the interpreter runs one of
them at a time."""


def give_back_what_is_freed(environ: Mapping[str, str] = os.environ) -> bool:
    """Before there are threads. False where there is no glibc, or the environment has chosen
    (MALLOC_...)."""
    chosen = any(name.startswith("MALLOC_") for name in environ) or "glibc.malloc" in environ.get(
        "GLIBC_TUNABLES", ""
    )
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if chosen or mallopt is None:
        return False
    options = {M_MMAP_THRESHOLD: BLOCK, M_TRIM_THRESHOLD: KEPT, M_ARENA_MAX: ARENAS}
    return all(mallopt(option, value) for option, value in options.items())
