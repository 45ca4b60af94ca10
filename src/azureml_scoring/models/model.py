"""The loaded model that the service calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.models.baseline import Baseline
from azureml_scoring.models.concurrency import Concurrency
from azureml_scoring.models.estimator_on_demand import EstimatorOnDemand, EstimatorState
from azureml_scoring.models.joint_predict import Each

Predict = Callable[[Batch], list[Any]]
"""Returns one JSON-ready answer per row."""

Quick = Callable[[Batch], Predict | None]
"""Returns the compiled model's predict for a batch that it can take, else None."""


@dataclass(frozen=True)
class Model:
    """A model that is loaded, verified, and has answered its first rows.

    name, version: what metadata and metrics call it.
    digest: the sha256 of its file.
    contract: the columns and methods that it takes.
    version_skew: one line for each package whose version differs from that of packaging.
    golden_rows: how many golden rows it answered; 0 without a manifest.
    warmup_ms: how long its first answers took.
    runtime: the libraries that compute its answers, and their versions.
    cacheable: equal requests get equal answers.
    backend: what computes its answers, scikit-learn or the compiled graph.
    quick: the compiled model for batches that it can take. It never blocks and computes the
        largest batch within INLINE_PREDICT_LIMIT_S, so it runs on the event loop, without a
        thread. None if there is no compiled model, or it is slower.
    predict: answers any batch.
    predict_jointly: answers rows of several requests as it would one by one, and raises ModelFailed
        where it can't. None: ``predict`` does so.
    each: predicts several one-row batches in one call, with the same bits as one by one; None
        if the engine can't promise that.
    joint_rows: most rows of several requests that are predicted in one call; 1: never.
    joint_rows_reason: why, for operators.
    baselines: the sample's distribution, one per feature; empty if it is not known.
    answer_baselines: the distribution of its answers to the sample, by ``answer_columns``.
    most_row_share: more of the requests than one row holds by itself.
    example: rows that the model has answered.
    answers: method -> its golden answers; without them, its default method's answer to a row.
    proven: its answers to the example are finite numbers.
    concurrency: what the trial says about scores at once; None for a quick model, which needs no
        slot.
    on_demand: loads the estimator once a request needs it; None if it is loaded, or absent.
    has_estimator: the estimator answers what the compiled model can't.
    """

    name: str
    version: str
    digest: str
    contract: Contract
    version_skew: tuple[str, ...]
    golden_rows: int
    warmup_ms: float
    runtime: dict[str, str]
    cacheable: bool
    backend: Literal["sklearn", "onnx"]
    quick: Quick | None
    predict: Predict
    predict_jointly: Predict | None = None
    each: Each | None = None
    joint_rows: int = 1
    joint_rows_reason: str | None = None
    baselines: tuple[Baseline, ...] = ()
    answer_baselines: tuple[Baseline, ...] = ()
    most_row_share: float = 1.0
    example: Sequence[list[Any]] = ()
    answers: Mapping[str, list[Any]] = field(default_factory=dict)
    proven: bool = False
    concurrency: Concurrency | None = None
    on_demand: EstimatorOnDemand | None = None
    has_estimator: bool = True

    @property
    def estimator(self) -> EstimatorState:
        """Whether the estimator is loaded."""
        if self.on_demand:
            return self.on_demand.state
        return "loaded" if self.has_estimator else "absent"

    @property
    def public_example(self) -> Sequence[list[Any]]:
        """The rows of the example that anybody may see. Without a manifest it may be the author's
        input example, perhaps a person's data."""
        return self.example if self.golden_rows else ()
