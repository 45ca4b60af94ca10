"""Times models of mixed columns and of texts, compiled and by scikit-learn: ``make bench-models``.

All in this process, without a server, from a validated batch to answers. The cases take turns, so
that a change of the machine's speed affects all alike.
"""

from __future__ import annotations

import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # boosting's threads would wait for each other

import in_process  # noqa: F401  puts tests/ and src/ on the path
import numpy as np

import mixed_models
import support
import text_models
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.golden_check import batch_of
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model, Predict
from azureml_scoring.settings import Settings
from mlops.sample import rows_of

TURNS, MIN_TURN_S = 9, 0.02
ROWS = (1, 100)
MODELS = {
    "7 columns, one-hot, logistic regression": mixed_models.logistic,
    "20 columns, ordinal, 300 trees of histogram boosting": lambda: mixed_models.boosting(
        trees=300, count=2_000
    ),
    "100 words of text, tf-idf of 50,000, logistic regression": lambda: text_models.logistic(
        count=4_000, words=100, vocabulary=50_000
    ),
    "12 words of text and letters, 3 columns, logistic regression": text_models.beside_numbers,
}


def main() -> None:
    print("| model | rows | scikit-learn, µs | compiled, µs | ratio |\n|---|---:|---:|---:|---:|")
    for name, make in MODELS.items():
        estimator, frame = make()
        with tempfile.TemporaryDirectory() as scratch:
            folder = support.packaged(estimator, frame, Path(scratch))
            plain, compiled = (_model(folder, backend) for backend in ("sklearn", "auto"))
            rows = batch_of(rows_of(frame.head(max(ROWS))), compiled.contract).X
        if compiled.backend == "sklearn":
            print(f"| {name} | | | not compiled | |")
            continue
        for count in ROWS:
            batch = Batch(np.resize(rows, (count, rows.shape[1])), compiled.contract.methods[0])
            slow, quick = _medians([plain.predict, _as_served(compiled)], batch)
            print(f"| {name} | {count} | {slow:,.0f} | {quick:,.1f} | {slow / quick:,.0f} |")


def _model(folder: Path, backend: str) -> Model:
    return load(Settings(scoring_model_path=folder, scoring_backend=backend))


def _as_served(model: Model) -> Predict:
    """Return what answers a request: a quick model on the event loop, others in a slot."""
    quick = model.quick
    if quick is None:
        return model.predict
    return lambda batch: (quick(batch) or model.predict)(batch)


def _medians(predicts: list[Predict], batch: Batch) -> list[float]:
    """Return the median time of each, in µs."""
    times = [list[float]() for _ in predicts]
    for _, (predict, own) in itertools.product(range(TURNS), zip(predicts, times, strict=True)):
        own.append(_once(partial(predict, batch)) * 1e6)
    return [statistics.median(own) for own in times]


def _once(call: Callable[[], object]) -> float:
    """Return the seconds of a call, repeated for a while."""
    call()
    begun, calls = time.perf_counter(), 0
    while (spent := time.perf_counter() - begun) < MIN_TURN_S:
        call()
        calls += 1
    return spent / calls


if __name__ == "__main__":
    main()
