"""Compiles a model that was measured, proves and races the compiled form, and says what came of
it."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

from threadpoolctl import ThreadpoolController

from azureml_scoring.errors import reason
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.booster_threads import thread_setters
from azureml_scoring.models.engines.engines import Engines
from azureml_scoring.models.engines.onnx_model import OnnxModel
from azureml_scoring.models.engines.onnx_predictor import OnnxPredictor
from azureml_scoring.models.engines.race import Race
from azureml_scoring.models.engines.table_encoder import TableEncoder
from azureml_scoring.models.estimators.predictor import Predictor
from azureml_scoring.models.files.python_function import FunctionEstimator
from azureml_scoring.models.library_threads import LibraryThreads
from mlops.column_split import column_split
from mlops.convert import convert
from mlops.converter import Convert
from mlops.float_pipeline import FloatPipeline
from mlops.measure import Measurement
from mlops.parity import NotProven
from mlops.proof_rows import as_accepted
from mlops.race import ROWS, race, table
from mlops.say import Say


def compiled_form(
    estimator: Any, measurement: Measurement, graphs: Convert, say: Say, *, alone: bool = False
) -> tuple[OnnxModel | None, dict[str, bytes]]:
    """Return the proven compiled model, if there is one, and its files.

    ``alone``: the estimator will not be in the service.
    """
    contract, sample = measurement.contract, measurement.numbers
    say("Compiling to ONNX, and comparing thousands of answers (a few minutes at most)")
    try:
        if not measurement.cacheable:
            raise NotProven("its answers are not the same each time")
        if isinstance(estimator, FunctionEstimator):
            raise NotProven(
                f"this {estimator.file_kind} is its author's code, which ONNX can't hold"
            )
        mixed = column_split(estimator, contract, sample, say)
        graphs_by_dtype = (
            graphs(mixed.estimator, mixed.tables.width, say)
            if mixed
            else graphs(estimator, len(contract.features), say)
        )
        compiled, graph = convert(estimator, contract, sample, graphs_by_dtype, say, mixed)
        files = {compiled.file: graph}
        if mixed and compiled.tables:
            files[compiled.tables] = mixed.tables.to_bytes()
        if alone:
            compiled = dataclasses.replace(compiled, booster=False)
        outcome = _race(compiled, graph, estimator, measurement, mixed, alone=alone)
        if outcome and outcome.small == outcome.large == "estimator":
            raise NotProven("it is quicker than its graph")
        compiled = dataclasses.replace(compiled, race=outcome)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the model, a converter or ONNX Runtime may raise anything
        why = error if isinstance(error, NotProven) else reason(error)
        say(f"  note: no ONNX, the model itself will answer: {why}")
        return None, {}
    methods = ", ".join(compiled.outputs)
    say(f"  ONNX ({compiled.dtype}) gives the same answers to {methods}:")
    say(f"    {_compared(compiled.parity)}")
    for line in table(outcome) if outcome else ():
        say(f"    {line}")
    return compiled, files


def _race(
    model: OnnxModel,
    graph: bytes,
    estimator: Any,
    measurement: Measurement,
    mixed: FloatPipeline | None,
    *,
    alone: bool,
) -> Race | None:
    """Race the proven engines and the estimator; None if no row of the sample is the engines'."""
    contract, direct = measurement.contract, Predictor(estimator, measurement.contract)
    engines = Engines(model, graph, estimator)
    encoder = TableEncoder(mixed.tables) if mixed else None
    compiled = {
        name: OnnxPredictor(model, engines.open(name), direct, encoder) for name in engines.proven
    }
    method = next(name for name in contract.methods if name in model.outputs)
    X = as_accepted(measurement.numbers[: max(ROWS)].copy(), contract)
    own = compiled["onnxruntime"].own_answers(Batch(X, method))[0]
    if not own.any():
        return None
    LibraryThreads(thread_setters(estimator, len(contract.features)))  # one each, as in the service
    with ThreadpoolController().limit(limits=1), warnings.catch_warnings(action="ignore"):
        return race(compiled if alone else {**compiled, "estimator": direct}, X[own], method)


def _compared(proof: dict[str, Any]) -> str:
    rows, left, total = proof["rows"], proof["left_to_the_estimator"], proof["asked"]
    skipped = [
        f"{count:,} {why}"
        for count, why in ((left, "left to the model itself"), (total - rows - left, "not in time"))
        if count
    ]
    parts = [f"{rows:,} of {total:,} compared", *skipped]
    return f"{', '.join(parts)}; at most {proof['largest_difference']:.0e} apart"
