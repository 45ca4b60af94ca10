"""Run ``azmlinfsrv`` in this process. If no worker can start, the sentence that says why comes
last."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress

from azureml_inference_server_http.amlserver import run
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from azureml_scoring.termination_log import VARIABLE
from mlops.exit_status import ExitStatus

NOT_STARTED = (Arbiter.WORKER_BOOT_ERROR, Arbiter.APP_LOAD_ERROR)
"""gunicorn's exit statuses if no worker can start."""

PIPE_BYTES = 65_536
"""What a pipe holds, and so the most that all sentences may have."""


def main() -> None:
    """Serve until the end. Never returns: gunicorn's master and its workers end by SystemExit."""
    logging.getLogger("azmlinfsrv.trace").addFilter(_is_of_use)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.environ[VARIABLE] = f"/dev/fd/{writer}"  # forked workers have it open, too
    master = os.getpid()
    try:
        run()
    except HaltServer:  # gunicorn fails to catch it if several workers end at once
        raise SystemExit(ExitStatus.UNUSABLE) from None
    except SystemExit as error:  # a worker ends by it, too, and gunicorn reads its status
        if os.getpid() == master and error.code in NOT_STARTED:
            raise SystemExit(ExitStatus.UNUSABLE) from None
        raise
    finally:
        if os.getpid() == master:
            with suppress(BlockingIOError):
                os.write(writer, b"\n")  # so that there is something to read
            sentences = os.read(reader, PIPE_BYTES).decode(errors="replace")
            if first := sentences.partition("\n")[0]:  # each worker writes one
                print(f"\nError: {first}", file=sys.stderr, flush=True)


def _is_of_use(record: logging.LogRecord) -> bool:
    """False for the traceback that azmlinfsrv logs if the model's folder is not named as in Azure.

    azmlinfsrv logs it before it imports the entry script, so score.py can't hold it back.
    """
    return record.getMessage() != "Error while fetching model IDs"


if __name__ == "__main__":
    main()
