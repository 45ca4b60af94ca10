"""Azure ML's contract for batch deployments: ``init()`` once in each process, ``run()`` for each
mini-batch of files, ``shutdown()`` at the end.

Use it with ``output_action: summary_only``: it writes its own files (docs/batch.md).
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# the service runs the script in another folder
sys.path.insert(0, str(Path(__file__).parent))

from azureml_scoring import opt_out

opt_out.apply(os.environ)

from azureml_scoring import log, settings
from azureml_scoring.errors import StartupError

_job: Any = None


def init() -> None:
    """Load the model. Raises StartupError, which says what to do."""
    global _job
    log.set_up()
    try:
        _job = _load(settings.load(os.environ))
    except Exception as error:
        log.startup_failed(error, os.environ)
        raise


def run(
    mini_batch: list[str],
    progress: Callable[[Path, int, float], None] = lambda path, rows, share: None,
) -> list[str]:
    """Score the files, and return those that are done: one element for each file, as the service
    counts.

    Raises the last error that another try may mend, once all other files are done. ``progress``:
    called after each chunk with its file, its rows, and the share of the file that has been read.
    """
    from azureml_scoring.batch.job import FileFailed

    job = _running()
    done: list[str] = []
    failure: Exception | None = None
    for file in mini_batch:
        try:
            job.score(Path(file), progress)
            done.append(file)
        except FileFailed:
            pass  # it is logged, and not returned
        except Exception as error:
            failure = error
    if failure:
        raise failure
    return done


def job_key() -> str:
    """Return what tells this job from others whose files would differ."""
    return str(_running().key)


def shutdown() -> None:
    """Let the model go."""
    global _job
    _job = None


def _running() -> Any:
    if _job is None:
        raise StartupError("init() has not run yet; call it first.")
    return _job


def _load(loaded: settings.Settings) -> Any:
    try:
        import pyarrow  # noqa: F401
    except ModuleNotFoundError:
        raise StartupError(
            "Batch scoring needs pyarrow; add it to the environment, or install the extra `arrow`."
        ) from None
    from azureml_scoring.batch.job import Job
    from azureml_scoring.models import loading

    return Job(loading.load(loaded), loaded)
