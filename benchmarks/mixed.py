"""Times models as they are served, by scikit-learn, and by hand: ``make bench-mixed``.

By hand is what an expert would write for models of numbers: ONNX Runtime on the packaged graph, or
the booster's own library, whichever is quicker. All in this process, without a server, from a
validated batch to answers, with one thread. The cases take turns, so that a change of the machine's
speed affects all alike, and processor time counts, not what else the machine does.
"""

from __future__ import annotations

import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # boosting's threads would wait for each other

import in_process  # noqa: F401  puts tests/ and src/ on the path
import numpy as np
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

import mixed_models
import support
import text_models
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.engines.booster_session import booster_session
from azureml_scoring.models.engines.onnx_session import open_session
from azureml_scoring.models.golden_check import batch_of
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model, Predict
from azureml_scoring.settings import Settings
from mlops import sample as samples

TURNS, MIN_TURN_S = 9, 0.02
ROWS = (1, 10, 100)


def numbers() -> tuple[np.ndarray, np.ndarray]:
    return make_classification(5_000, 20, n_informative=10, random_state=0)


def forest() -> Any:
    return RandomForestClassifier(200, random_state=0, n_jobs=2).fit(*numbers())


def lightgbm() -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=300, verbose=-1, n_jobs=1).fit(*numbers())


def xgboost() -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(n_estimators=300, max_depth=6, n_jobs=1).fit(*numbers())


def catboost() -> Any:
    from catboost import CatBoostClassifier

    model = CatBoostClassifier(300, verbose=0, thread_count=1, allow_writing_files=False)
    return model.fit(*numbers())


def histogram() -> Any:
    return HistGradientBoostingClassifier(max_iter=300).fit(*numbers())


MODELS: dict[str, Callable[[], Any]] = {
    "7 columns, one-hot, logistic regression": mixed_models.logistic,
    "20 columns, ordinal, 300 trees of histogram boosting": lambda: mixed_models.boosting(
        trees=300, count=2_000
    ),
    "20 numbers, forest of 200": forest,
    "20 numbers, 300 trees of histogram boosting": histogram,
    "20 numbers, 300 trees of LightGBM": lightgbm,
    "20 numbers, 300 trees of XGBoost": xgboost,
    "20 numbers, 300 trees of CatBoost": catboost,
    "100 words of text, tf-idf of 50,000, logistic regression": lambda: text_models.logistic(
        count=4_000, words=100, vocabulary=50_000
    ),
    "12 words of text and letters, 3 columns, logistic regression": text_models.beside_numbers,
}


def main() -> None:
    wanted = sys.argv[1:]
    print(
        "| model | rows | scikit-learn, µs | by hand, µs | as served, µs | by | ratio to "
        "scikit-learn | to by hand |\n|---|---:|---:|---:|---:|---|---:|---:|"
    )
    for name, make in MODELS.items():
        if not wanted or any(part in name for part in wanted):
            _compare(name, make())


def _compare(name: str, made: Any) -> None:
    """Print a row for each number of rows. ``made``: an estimator of numbers, or one of mixed
    columns and its frame."""
    estimator, frame = made if isinstance(made, tuple) else (made, pd.DataFrame(numbers()[0]))
    with tempfile.TemporaryDirectory() as scratch:
        folder = support.packaged(estimator, frame, Path(scratch))
        plain, compiled = (_model(folder, backend) for backend in ("sklearn", "auto"))
        if compiled.backend == "sklearn":
            print(f"| {name} | | | | | not compiled | | |")
            return
        rows = batch_of(samples.rows_of(frame[:100]), compiled.contract).X
        hands = [] if isinstance(made, tuple) else _by_hand(estimator, folder)
    for count in ROWS:
        batch = Batch(rows[:count], compiled.contract.methods[0])
        predicts = [plain.predict, _as_served(compiled), *hands]
        slow, ours, *theirs = _medians(predicts, batch)
        by_hand = f"{min(theirs):,.0f}" if theirs else ""
        ratio = f"{min(theirs) / ours:.2f}" if theirs else ""
        print(
            f"| {name} | {count} | {slow:,.0f} | {by_hand} | {ours:,.1f} | "
            f"{compiled.runtime['graph']} | {slow / ours:,.0f} | {ratio} |"
        )


def _by_hand(estimator: Any, folder: Path) -> list[Predict]:
    """Return what answers ``predict`` by hand."""
    session = open_session((folder / "model.onnx").read_bytes())
    dtype = np.float64 if session.get_inputs()[0].type == "tensor(double)" else np.float32

    def by_graph(batch: Batch) -> list[Any]:
        answers: list[Any] = session.run(["label"], {"X": batch.X.astype(dtype)})[0].tolist()
        return answers

    booster = booster_session(estimator, {"predict_proba": "p"}, listed=False, threads=1)
    if booster is None:
        return [by_graph]
    own = booster
    return [by_graph, lambda batch: own.run(["label"], {"X": batch.X})[0].tolist()]


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
    """Return the processor seconds of a call, repeated for a while."""
    call()
    begun, calls = time.process_time(), 0
    while (spent := time.process_time() - begun) < MIN_TURN_S:
        call()
        calls += 1
    return spent / calls


if __name__ == "__main__":
    main()
