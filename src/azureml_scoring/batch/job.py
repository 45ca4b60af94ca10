"""A batch job in one process: scores one file after the other with one model."""

from __future__ import annotations

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from azureml_scoring import log
from azureml_scoring.batch.files import ChunkSize, chunks
from azureml_scoring.batch.outputs import Outputs
from azureml_scoring.batch.rows import Rules
from azureml_scoring.batch.scored_chunk import ChunkScorer, ScoredChunk
from azureml_scoring.errors import ClientError, StartupError
from azureml_scoring.inputs import parameter
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.options import method_of
from azureml_scoring.models import golden_check
from azureml_scoring.models.answer_columns import answer_columns
from azureml_scoring.models.baseline import Baseline
from azureml_scoring.models.model import Model
from azureml_scoring.models.predictions import to_json
from azureml_scoring.settings import Settings

ANY_COUNT = 2**62
"""A limit that no chunk reaches: its size is ours to choose."""

Progress = Callable[[Path, int, float], None]
"""Called after each chunk with its file, its rows, and the share of the file that has been read."""


class FileFailed(Exception):
    """A file can't be scored, and could not at another try. The message is one sentence."""


class Tally:
    """What a file's chunks come to. ``bins``: predictions by the bins of each baseline."""

    def __init__(self, baselines: Sequence[Baseline]) -> None:
        self._baselines = baselines
        self.rows = 0
        self.reasons = Counter[str]()
        self.bins = {baseline.name: np.zeros(baseline.bins) for baseline in baselines}

    @property
    def bad_rows(self) -> int:
        return self.reasons.total()

    def add(self, scored: ScoredChunk, method: str) -> None:
        self.rows += scored.rows
        self.reasons.update(bad.error.code for bad in scored.bad)
        columns = answer_columns(method, scored.answers) if self._baselines else {}
        for baseline in self._baselines:
            if baseline.name in columns:
                self.bins[baseline.name] += baseline.count(columns[baseline.name])


class Job:
    """Raises StartupError if the settings do not fit the model."""

    def __init__(self, model: Model, settings: Settings, size: ChunkSize | None = None) -> None:
        if settings.azureml_bi_output_path is None:
            raise StartupError(
                "AZUREML_BI_OUTPUT_PATH is not set, so there is no folder for the predictions; run "
                "this script by a batch endpoint or by `mlops batch`."
            )
        contract = model.contract
        try:
            method = method_of(contract.methods, settings.scoring_batch_method)
        except ClientError as error:
            raise StartupError(f"SCORING_BATCH_METHOD is not usable: {error.message}") from None
        params = parameter.defaults(contract.parameters)
        limits = Limits(ANY_COUNT, settings.scoring_max_depth, ANY_COUNT, ANY_COUNT)
        self._model = model
        self._settings = settings
        self._rules = Rules(contract, limits)
        self._size = size or ChunkSize()
        self._scorer = ChunkScorer(
            model, method, params, settings.scoring_non_finite_output == "null"
        )
        self._root = settings.azureml_bi_output_path
        self._example = self._example_answers()
        self._baselines = [
            baseline
            for baseline in model.answer_baselines
            if baseline.name.startswith(f"{method}()")
        ]

    def score(self, path: Path, progress: Progress = lambda path, rows, share: None) -> None:
        """Score a file and write what comes of it. Raises FileFailed, and ServiceError or OSError,
        after which another try may succeed."""
        started, source = time.perf_counter(), path.stat()
        name = output_name(path, self._settings.scoring_batch_input_root)
        tally = Tally(self._baselines)
        with Outputs(self._root, name, self._settings.scoring_batch_output, self._example) as out:
            try:
                for chunk in chunks(path, self._rules, self._size):
                    scored = self._scorer(chunk)
                    _write(scored, tally.rows + 1, out)
                    tally.add(scored, self._scorer.method)
                    progress(path, scored.rows, chunk.share)
                failure = self._too_many_bad(tally, name)
            except ClientError as error:
                failure = error.message
            summary = {
                "input": name,
                "source": str(path),
                "source_size": source.st_size,
                "source_modified_ns": source.st_mtime_ns,
                "job": self.key,
                "model_name": self._model.name,
                "model_version": self._model.version,
                "rows": tally.rows,
                "predictions": 0 if failure else tally.rows - tally.bad_rows,
                "bad_rows": tally.bad_rows,
                "reasons": dict(tally.reasons),
                "failure": failure,
                "seconds": round(time.perf_counter() - started, 3),
                "distribution": {
                    baseline: bins.astype(int).tolist() for baseline, bins in tally.bins.items()
                },
            }
            out.keep(summary, predictions=failure is None)
        level = logging.ERROR if failure else logging.INFO
        log.event(f"File {name} {'failed' if failure else 'is scored'}", level, **summary)
        if failure:
            raise FileFailed(failure)

    def _too_many_bad(self, tally: Tally, name: str) -> str | None:
        if tally.bad_rows <= self._settings.scoring_batch_max_bad_rows * tally.rows:
            return None
        return (
            f"{tally.bad_rows:,} of its {tally.rows:,} rows are bad, more than "
            f"SCORING_BATCH_MAX_BAD_ROWS allows; see {name}.errors.csv."
        )

    @property
    def key(self) -> str:
        """Tell jobs apart whose files differ: their model, or a setting that changes the files."""
        settings = self._settings
        parts = [
            self._model.digest,
            self._scorer.method,
            settings.scoring_batch_output,
            settings.scoring_non_finite_output,
            settings.scoring_batch_max_bad_rows,
        ]
        return hashlib.sha256(orjson.dumps(parts)).hexdigest()

    def _example_answers(self) -> list[Any]:
        """Answers that tell the columns of the predictions."""
        method = self._scorer.method
        if not (answers := self._model.answers.get(method)):
            X = golden_check.batch_of(list(self._model.example), self._rules.contract).X
            answers = self._model.predict(Batch(X, method, self._scorer.params))
        return list(orjson.loads(to_json(answers)))


def _write(scored: ScoredChunk, first: int, out: Outputs) -> None:
    """``first``: the number of the chunk's first row in the file."""
    out.write(first + scored.places, scored.answers)
    out.write_bad(
        (first + bad.place, bad.column, bad.error.code, bad.error.message) for bad in scored.bad
    )


def output_name(path: Path, root: Path | None) -> str:
    """Return what an input's files are called: the same at each try, on each machine.

    Below ``root`` it is the path from there. Without one the mount's path may differ between
    machines, so it is the name and a checksum of the content.
    """
    if root is not None:
        return path.resolve().relative_to(root.resolve()).as_posix()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{path.stem}-{digest[:8]}{path.suffix}"
