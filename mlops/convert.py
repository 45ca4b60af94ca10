"""Compiles an estimator to ONNX and proves that it answers alike, or says why not.

The float32 trap: linear models compute in float64, trees compare float32. So a float64 graph is
tried first, with a cast in front of each tree, and then a float32 graph; the first one that is
proven is kept.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline

from azureml_scoring.errors import reason
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.models.engines.onnx_model import OnnxModel
from mlops.float_pipeline import FloatPipeline
from mlops.graph_proof import GraphProof
from mlops.graphs import Converted
from mlops.parity import NotProven
from mlops.raw_scores import with_raw_scores
from mlops.say import Say, silent

FILE_NAME = "model.onnx"
NOT_COMPARED = "its answers can't be compared"


def convert(
    estimator: Any,
    contract: Contract,
    sample: np.ndarray,
    graphs: Iterable[Converted],
    say: Say = silent,
    mixed: FloatPipeline | None = None,
) -> tuple[OnnxModel, bytes]:
    """Return the first proven graph. Raises NotProven.

    sample: (rows, features) as the model takes them.
    mixed: the pipeline that the graphs are of, if the model's columns are mixed.
    """
    try:
        is_classifier(estimator)
    except Exception as error:  # it has no tags
        raise NotProven("it is not made for scikit-learn") from error
    reasons = {}
    for dtype, graph in graphs:
        try:
            if isinstance(graph, NotProven):
                raise graph
            data = with_raw_scores(graph) if "decision_function" in contract.methods else graph
            # The rows are meant to overflow.
            with warnings.catch_warnings(action="ignore"):
                proof = GraphProof(data, estimator, contract, sample, say, mixed)
                readings = _readings(estimator, contract, dtype, proof.outputs)
                return proof.with_more_methods(proof.first_proven(readings)), data
        except NotProven as error:
            reasons[dtype] = str(error)
        except Exception as error:  # a graph of another form must not end in a traceback
            reasons[dtype] = f"{NOT_COMPARED} ({reason(error)})"
    if len(set(reasons.values())) == 1:
        raise NotProven(reasons.popitem()[1])
    raise NotProven("; ".join(f"{dtype}: {why}" for dtype, why in reasons.items()))


def _readings(
    estimator: Any, contract: Contract, dtype: Any, names: list[str]
) -> Iterator[OnnxModel]:
    """Yield ways to read the outputs: a classifier's label may come from its probabilities, or
    from the graph itself."""
    plain = OnnxModel(FILE_NAME, dtype, {}, labels=None, flat=False, missing=False, parity={})
    if not is_classifier(estimator):
        method = "predict" if "predict" in contract.methods else "transform"
        yield dataclasses.replace(plain, outputs={method: names[0]})
    elif hasattr(estimator, "predict_proba") and not isinstance(estimator.classes_, list):
        label, probabilities, *_ = names
        both = {"predict": probabilities, "predict_proba": probabilities}
        off_probabilities = dataclasses.replace(
            plain, outputs=both, labels=estimator.classes_.tolist()
        )
        off_label = dataclasses.replace(plain, outputs=both | {"predict": label})
        if isinstance(_last(estimator), (FixedThresholdClassifier, TunedThresholdClassifierCV)):
            yield off_label  # its label need not be the more probable class
        elif dtype == "float32":
            yield from (off_probabilities, off_label)  # only the former breaks ties as it should
        else:
            yield from (off_label, off_probabilities)  # the former comes closer, and costs little
    else:
        yield dataclasses.replace(plain, outputs={"predict": names[0]})


def _last(estimator: Any) -> Any:
    estimator = getattr(estimator, "best_estimator_", estimator)
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator
