"""``azmlinfsrv`` in this process. Where it ends because no worker could start, the sentence on why
comes last."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress

from azureml_inference_server_http.amlserver import run
from gunicorn.errors import HaltServer

from azureml_scoring.termination_log import VARIABLE

MOST = 65_536
"""Bytes of a pipe, and so of all sentences."""


def main() -> None:
    """Never returns: gunicorn's master and its workers all end by SystemExit."""
    logging.getLogger("azmlinfsrv.trace").addFilter(_tells_something)
    reason, told = os.pipe()
    os.set_blocking(told, False)
    os.environ[VARIABLE] = f"/dev/fd/{told}"  # forked workers have it open, too
    master = os.getpid()
    try:
        run()
    except HaltServer as error:  # which gunicorn fails to catch where several workers end at once
        raise SystemExit(error.exit_status) from None
    finally:
        if os.getpid() == master:
            with suppress(BlockingIOError):
                os.write(told, b"\n")  # so that there is something to read
            first = (
                os.read(reason, MOST).decode(errors="replace").partition("\n")[0]
            )  # of several workers
            if first:
                print(f"\nError: {first}", file=sys.stderr, flush=True)


def _tells_something(record: logging.LogRecord) -> bool:
    """Not the traceback that the server prints where the model's folder is not named as Azure ML
    names it."""
    return record.getMessage() != "Error while fetching model IDs"


if __name__ == "__main__":
    main()
