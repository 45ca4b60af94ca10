"""A model as the service asks it: loaded, verified, tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.models.baseline import Baseline
from azureml_scoring.models.joint_predict import Each

Predict = Callable[[Batch], list[Any]]
Quick = Callable[[Batch], Predict | None]


@dataclass(frozen=True)
class Model:
    """A model that has answered.

    ``digest`` is the sha256 of its file, ``runtime`` what computes its answers, by version;
    ``warmup_ms`` the time of its first ones; ``cacheable`` unless equal requests may be answered
    differently. ``quick``: the compiled form, for the batches that it takes. It waits for nothing,
    and is faster with the largest than a probe may wait: no thread needs to watch over it. None
    where it is slower, or there is none. ``each``: several of those batches, of one row each, at
    once, where that can't be told from their answers. ``baselines``: of each feature, where its
    training data is known. ``example``: rows that it has answered. ``proven``: with finite numbers.
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
    each: Each | None = None
    baselines: tuple[Baseline, ...] = ()
    example: Sequence[list[Any]] = ()
    proven: bool = False
