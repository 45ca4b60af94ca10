"""What processes run."""

import psutil


def runs(process: psutil.Process, word: str) -> bool:
    """Tell whether a word stands alone in its command line; one that has ended runs nothing."""
    try:
        return word in process.cmdline()
    except psutil.NoSuchProcess:  # also of a zombie
        return False
