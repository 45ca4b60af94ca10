"""Proves an ONNX graph of an estimator: how its outputs are read, for which numbers, by which
engines, and for which methods."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from azureml_scoring.errors import ScoringError, StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.models.engines.booster_session import booster_session
from azureml_scoring.models.engines.numpy_graph import NumpyGraph
from azureml_scoring.models.engines.onnx_model import MAX_MAGNITUDE, MIN_COMPARED_ANSWERS, OnnxModel
from azureml_scoring.models.engines.onnx_predictor import OnnxPredictor
from azureml_scoring.models.engines.onnx_session import open_session
from azureml_scoring.models.engines.session import Session
from azureml_scoring.models.engines.table_encoder import TableEncoder
from azureml_scoring.models.estimators.predictor import Predictor
from mlops.float_pipeline import FloatPipeline
from mlops.mixed_rows import MixedRows
from mlops.parity import NotProven, Parity, ParityResult
from mlops.proof_rows import NumericRows, RowSet, as_accepted
from mlops.say import Say

TABLES_FILE_NAME = "tables.json"

MORE_METHODS_LIMIT_S = 10.0
"""Once the proof has taken so long, further methods are compared on some rows of each set only."""

FLOATS = {0, 1, 11}
"""ONNX's numbers for an output of unknown type, of float32 and of float64."""

FALLBACK_MAGNITUDES = (MAX_MAGNITUDE["float32"], 1e30, 1e15)
"""Smaller limits to try for a model that is not proven for the largest numbers."""


class GraphProof:
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
        self._float_outputs = [
            output.name
            for output in graph.graph.output
            if output.type.tensor_type.elem_type in FLOATS
        ]
        try:
            self._session: Session = open_session(data)
        except StartupError as error:
            raise NotProven(
                f"ONNX Runtime can't run it ({type(error.__cause__).__name__})"
            ) from error
        self._dense = NumpyGraph.of(data)
        self._estimator = estimator
        self._direct = Predictor(estimator, contract)
        self._contract = contract
        self._sample = sample
        self._say = say
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
        compared = self._compare(model, self._all_kinds(model))
        _check_enough(compared)
        model = dataclasses.replace(model, parity=compared.to_json())
        if any(feature.missing for feature in self._contract.features):
            with contextlib.suppress(NotProven):  # then the estimator answers such rows
                lenient = dataclasses.replace(model, missing=True)
                self._compare(lenient, [self._rows.with_gaps()])
                model = lenient
        kinds = self._all_kinds(model)
        if self._dense:
            with contextlib.suppress(NotProven):  # then ONNX Runtime computes the graph
                self._compare(model, kinds, self._dense)
                model = dataclasses.replace(model, numpy=True)
        try:
            if booster := self._booster(model):
                self._compare(model, kinds, booster)
                model = dataclasses.replace(model, booster=True)
        except Exception as error:  # its library may raise anything
            why = error if isinstance(error, NotProven) else type(error).__name__
            self._say(f"  note: the booster's own library has no part in the race: {why}")
        return model

    def _booster(self, model: OnnxModel) -> Session | None:
        if self._encoder:
            return None
        return booster_session(self._estimator, model.outputs, listed=not model.flat, threads=1)

    def _all_kinds(self, model: OnnxModel) -> list[RowSet]:
        gaps = [self._rows.with_gaps()] if model.missing else []
        return [*self._kinds, self._rows.huge(model.largest or 0.0), *gaps]

    def with_more_methods(self, model: OnnxModel) -> OnnxModel:
        """Return the model with each other method of the contract that one of its outputs is proven
        to answer, and print which stay the estimator's."""
        kinds = self._all_kinds(model)
        for method in self._contract.methods:
            if method in model.outputs:
                continue
            reason = "the graph has no output of numbers"
            for output in self._float_outputs:
                outputs = model.outputs | {method: output}
                longer = dataclasses.replace(model, outputs=outputs)
                try:
                    self._compare_method(longer, method, kinds)
                except Exception as error:  # an output of another form may raise anything
                    why = error if isinstance(error, NotProven) else type(error).__name__
                    reason = f"the graph has no output with its answers ({why})"
                else:
                    model = longer
                    break
            if method not in model.outputs:
                self._say(f"  note: {method} is left to the model itself: {reason}")
        return model

    def _compare_method(self, model: OnnxModel, method: str, kinds: list[RowSet]) -> None:
        others = [
            self._dense if model.numpy else None,
            self._booster(model) if model.booster else None,
        ]
        for session in (self._session, *filter(None, others)):
            compiled = OnnxPredictor(model, session, self._direct, self._encoder)
            _check_enough(
                self._parity.compare(compiled, (method,), kinds, limit_s=MORE_METHODS_LIMIT_S)
            )

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


def _check_enough(compared: ParityResult) -> None:
    if compared.answers < MIN_COMPARED_ANSWERS:
        raise NotProven(
            f"only {compared.answers:,} answers could be compared, fewer than "
            f"{MIN_COMPARED_ANSWERS:,}"
        )


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
