"""Compiles an estimator to ONNX and proves that it answers alike, or says why not.

The float32 trap: linear models compute in float64, trees compare float32. So a float64 graph is
tried first, with a cast in front of each tree, and then a float32 graph; the first one that is
proven is kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline

from azureml_scoring.errors import ScoringError, StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.models.engines.numpy_graph import NumpyGraph
from azureml_scoring.models.engines.onnx_model import (
    MAX_MAGNITUDE,
    MIN_COMPARED_ANSWERS,
    OnnxModel,
    OnnxPredictor,
)
from azureml_scoring.models.engines.onnx_session import open_session
from azureml_scoring.models.engines.table_encoder import TableEncoder
from azureml_scoring.models.estimators.predictor import Predictor
from mlops.float_pipeline import FloatPipeline
from mlops.graphs import Converted
from mlops.mixed_rows import MixedRows
from mlops.parity import NotProven, Parity, ParityResult
from mlops.proof_rows import NumericRows, RowSet, as_accepted
from mlops.say import Say, silent

if TYPE_CHECKING:
    from azureml_scoring.models.engines.onnx_session import Session

FILE_NAME = "model.onnx"
TABLES_FILE_NAME = "tables.json"
NOT_COMPARED = "its answers can't be compared"

FALLBACK_MAGNITUDES = (MAX_MAGNITUDE["float32"], 1e30, 1e15)
"""Smaller limits to try for a model that is not proven for the largest numbers."""


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
            # The rows are meant to overflow.
            with warnings.catch_warnings(action="ignore"):
                proof = _Proof(graph, estimator, contract, sample, say, mixed)
                return proof.first_proven(
                    _readings(estimator, contract, dtype, proof.outputs)
                ), graph
        except NotProven as error:
            reasons[dtype] = str(error)
        except Exception as error:  # a graph of another form must not end in a traceback
            reasons[dtype] = f"{NOT_COMPARED} ({type(error).__name__})"
    if len(set(reasons.values())) == 1:
        raise NotProven(reasons.popitem()[1])
    raise NotProven("; ".join(f"{dtype}: {reason}" for dtype, reason in reasons.items()))


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
        label, probabilities = names
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


class _Proof:
    """Proves one graph, whose outputs may be read in several ways."""

    def __init__(
        self,
        data: bytes,
        estimator: Any,
        contract: Contract,
        sample: np.ndarray,
        say: Say,
        mixed: FloatPipeline | None,
    ) -> None:
        """Raises NotProven."""
        import onnx

        graph = onnx.load_from_string(data)
        self.outputs = [output.name for output in graph.graph.output]
        try:
            self._session: Session = open_session(data)
        except StartupError as error:
            raise NotProven(
                f"ONNX Runtime can't run it ({type(error.__cause__).__name__})"
            ) from error
        self._dense = NumpyGraph.of(data)
        self._direct = Predictor(estimator, contract)
        self._contract = contract
        self._sample = sample
        self._encoder = TableEncoder(mixed.tables) if mixed else None
        self._rows = MixedRows(sample, contract, mixed) if mixed else NumericRows(sample, contract)
        self._kinds = list(self._rows.sets(_splits(graph)))
        self._parity = Parity(self._direct, contract, sample, say)

    def first_proven(self, readings: Iterable[OnnxModel]) -> OnnxModel:
        """Return the first reading that is proven, and how far. Raises NotProven."""
        reason = NotProven("")
        for reading in readings:
            model = dataclasses.replace(
                reading,
                flat=self._flat(next(iter(reading.outputs))),
                tables=TABLES_FILE_NAME if self._encoder else None,
            )
            for largest in self._magnitudes(model):
                try:
                    return self._proven(dataclasses.replace(model, largest=largest))
                except NotProven as error:
                    reason = error
        raise reason

    def _magnitudes(self, model: OnnxModel) -> list[float]:
        """Return limits to prove the model for, the largest first, the last near the sample's."""
        near = 10 * self._rows.largest
        largest = MAX_MAGNITUDE[model.dtype]
        return [
            largest,
            *(number for number in FALLBACK_MAGNITUDES if near < number < largest),
            *([near] if near < largest else []),
        ]

    def _proven(self, model: OnnxModel) -> OnnxModel:
        kinds = [*self._kinds, self._rows.huge(model.largest or 0.0)]
        compared = self._compare(model, kinds)
        if compared.answers < MIN_COMPARED_ANSWERS:
            raise NotProven(
                f"only {compared.answers:,} answers could be compared, fewer than "
                f"{MIN_COMPARED_ANSWERS:,}"
            )
        model = dataclasses.replace(model, parity=compared.to_json())
        if any(feature.missing for feature in self._contract.features):
            gaps = self._rows.with_gaps()
            with contextlib.suppress(NotProven):  # then the estimator answers such rows
                lenient = dataclasses.replace(model, missing=True)
                self._compare(lenient, [gaps])
                model = lenient
                kinds.append(gaps)
        if self._dense:
            with contextlib.suppress(NotProven):  # then ONNX Runtime computes the graph
                self._compare(model, kinds, self._dense)
                model = dataclasses.replace(model, numpy=True)
        return model

    def _flat(self, method: str) -> bool:
        """Return whether an answer is a number, not a list. Raises NotProven."""
        try:
            first = self._direct(
                Batch(as_accepted(self._sample[:1].copy(), self._contract), method)
            )
        except ScoringError as error:
            raise NotProven(f"it has no answer to {method}") from error
        return not isinstance(first[0], list)

    def _compare(
        self, model: OnnxModel, kinds: Iterable[RowSet], session: Session | None = None
    ) -> ParityResult:
        compiled = OnnxPredictor(model, session or self._session, self._direct, self._encoder)
        return self._parity.compare(compiled, tuple(model.outputs), kinds)


def _splits(graph: Any) -> Iterator[tuple[int, float]]:
    """Yield feature and threshold of each split of a graph's trees."""
    import onnx

    for node in graph.graph.node:
        attributes = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type.startswith("TreeEnsemble") and "nodes_values" in attributes:
            yield from zip(
                attributes["nodes_featureids"].ints, attributes["nodes_values"].floats, strict=True
            )
        elif node.op_type == "TreeEnsemble":
            thresholds = onnx.numpy_helper.to_array(attributes["nodes_splits"].t)
            yield from zip(attributes["nodes_featureids"].ints, thresholds.tolist(), strict=True)
