"""Runs a job over processes, with the retries, restarts and limits of Azure ML's service."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from azureml_scoring.batch.job import Progress
from azureml_scoring.errors import StartupError
from mlops.batch import worker
from mlops.batch.inputs import InputFile
from mlops.batch.process import WorkerProcess, wait

MAX_PROCESS_FAILURES = 10
"""After more failed mini-batches the service ends a process and starts a new one."""

MAX_FAILED_STARTS = 3
"""Processes in a row that end before they are ready."""

POLL_S = 0.5


@dataclass(frozen=True)
class RunSettings:
    """Named as in the deployment's file.

    processes: ``max_concurrency_per_instance``. mini_batch_size: files that a process gets at once.
    timeout_s: for a mini-batch. error_threshold: failed files that the job goes on with.
    """

    processes: int
    mini_batch_size: int = 1
    max_retries: int = 3
    timeout_s: float = 3600.0
    error_threshold: int = 0


@dataclass
class _MiniBatch:
    files: Sequence[InputFile]
    tries: int = 0


@dataclass
class Outcome:
    """``failed``: the names of files that could not be scored, and why; ``retries``: mini-batches
    that were tried again; ``stopped``: too many files failed, so that the rest was left."""

    failed: dict[str, str] = field(default_factory=dict)
    retries: int = 0
    stopped: bool = False


class Run:
    """``skip``: tells of a file, and the key of the job, whether it is done already."""

    def __init__(
        self,
        files: Sequence[InputFile],
        settings: RunSettings,
        environment: Mapping[str, str],
        logs: Path,
        skip: Callable[[InputFile, str], bool],
        progress: Progress,
    ) -> None:
        self._files = files
        self._settings = settings
        self._environment = environment
        self._logs = logs
        self._skip = skip
        self._progress = progress
        self._queue = deque[_MiniBatch]()
        self._at_work: dict[WorkerProcess, _MiniBatch] = {}
        self._processes: list[WorkerProcess] = []
        self._started = 0
        self._failed_starts = 0
        self._outcome = Outcome()
        self._is_planned = False

    def __call__(self) -> Outcome:
        """Run the job to its end. Raises StartupError if the script can't start."""
        try:
            for _ in range(self._settings.processes):
                self._start()
            while (not self._is_planned or self._queue or self._at_work) and self._go_on():
                for process in wait(self._processes, POLL_S):
                    self._hear(process)
                self._end_the_late()
                self._hand_out()
        finally:
            for process in self._processes:
                process.end()
        self._outcome.stopped = bool(self._queue or self._at_work)
        return self._outcome

    def _go_on(self) -> bool:
        return len(self._outcome.failed) <= self._settings.error_threshold

    def _start(self) -> None:
        log_file = self._logs / f"process{self._started:03}.stdout.txt"
        self._started += 1
        self._processes.append(WorkerProcess(self._environment, log_file))

    def _plan(self, job: str) -> None:
        """Divide what is not done. The first process that is ready tells the job's key."""
        self._is_planned = True
        left = [file for file in self._files if not self._skip(file, job)]
        size = self._settings.mini_batch_size
        self._queue.extend(
            _MiniBatch(left[start : start + size]) for start in range(0, len(left), size)
        )

    def _hear(self, process: WorkerProcess) -> None:
        message = process.receive()
        match message:
            case None:
                self._replace(process, "its process ended")
            case (worker.NO_START, sentence):
                raise StartupError(str(sentence))
            case (worker.READY, job):
                process.ready = True
                self._failed_starts = 0
                if not self._is_planned:
                    self._plan(str(job))
            case (worker.PROGRESS, *read):
                self._progress(*read)
            case (worker.DONE, done):
                batch = self._at_work.pop(process)
                for file in batch.files:
                    if str(file.path) not in done:
                        self._outcome.failed[file.name] = "see its summary"
                process.files = ()
            case (worker.FAILED, sentence):
                self._retry(process, str(sentence))
                process.failures += 1
                process.files = ()
                if process.failures > MAX_PROCESS_FAILURES:
                    self._replace(process, "")

    def _end_the_late(self) -> None:
        for process in [*self._at_work]:
            if process.busy_s > self._settings.timeout_s:
                self._replace(process, f"it took more than {self._settings.timeout_s:g} s")

    def _replace(self, process: WorkerProcess, why: str) -> None:
        """End a process and start a new one; what it had is tried again."""
        process.end()
        self._processes.remove(process)
        if process in self._at_work:
            self._retry(process, why)
        if not process.ready:
            self._failed_starts += 1
            if self._failed_starts >= MAX_FAILED_STARTS:
                raise StartupError(
                    f"{MAX_FAILED_STARTS} processes in a row ended before the model was loaded; "
                    f"see {self._logs}, and whether there is memory for so many processes."
                )
        self._start()

    def _retry(self, process: WorkerProcess, why: str) -> None:
        batch = self._at_work.pop(process)
        batch.tries += 1
        if batch.tries <= self._settings.max_retries:
            self._outcome.retries += 1
            self._queue.append(batch)
            return
        for file in batch.files:
            self._outcome.failed[file.name] = f"{why}, {batch.tries} times"

    def _hand_out(self) -> None:
        for process in [*self._processes]:
            if process.ready and process not in self._at_work and self._queue:
                batch = self._queue.popleft()
                self._at_work[process] = batch
                try:
                    process.send(batch.files)
                except OSError:
                    self._replace(process, "its process ended")
