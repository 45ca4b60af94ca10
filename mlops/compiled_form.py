"""Compiles a model that was measured, if the compiled form is proven, and says what came of it."""

from __future__ import annotations

from typing import Any

from azureml_scoring.errors import reason
from azureml_scoring.models.engines.onnx_model import OnnxModel
from mlops.column_split import column_split
from mlops.convert import convert
from mlops.converter import Convert
from mlops.measure import Measurement
from mlops.parity import NotProven
from mlops.say import Say


def compiled_form(
    estimator: Any, measurement: Measurement, graphs: Convert, say: Say
) -> tuple[OnnxModel | None, dict[str, bytes]]:
    """Return the proven compiled model, if there is one, and its files."""
    contract, sample = measurement.contract, measurement.numbers
    say("Compiling to ONNX, and comparing thousands of answers (a few minutes at most)")
    try:
        if not measurement.cacheable:
            raise NotProven("its answers are not the same each time")
        mixed = column_split(estimator, contract, sample)
        graphs_by_dtype = (
            graphs(mixed.estimator, mixed.tables.width, say)
            if mixed
            else graphs(estimator, len(contract.features), say)
        )
        compiled, graph = convert(estimator, contract, sample, graphs_by_dtype, say, mixed)
        files = {compiled.file: graph}
        if mixed and compiled.tables:
            files[compiled.tables] = mixed.tables.to_bytes()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the model, a converter or ONNX Runtime may raise anything
        why = error if isinstance(error, NotProven) else reason(error)
        say(f"  note: no ONNX, the model itself will answer: {why}")
        return None, {}
    say(f"  ONNX ({compiled.dtype}) gives the same answers: {_compared(compiled.parity)}")
    return compiled, files


def _compared(proof: dict[str, Any]) -> str:
    rows, left, total = proof["rows"], proof["left_to_the_estimator"], proof["asked"]
    skipped = [
        f"{count:,} {why}"
        for count, why in ((left, "left to the model itself"), (total - rows - left, "not in time"))
        if count
    ]
    parts = [f"{rows:,} of {total:,} compared", *skipped]
    return f"{', '.join(parts)}; at most {proof['largest_difference']:.0e} apart"
