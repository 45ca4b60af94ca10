"""What the try-it page is told of a model, as JSON.

A cell is the JSON text of a value, so that the browser, whose numbers have 53 bits, changes none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from azureml_scoring.inputs.feature import TEXT, Feature
from azureml_scoring.models.baseline import QUANTILE_BINS, Baseline
from azureml_scoring.models.model import Model

MAX_ROWS = 20
"""Sample rows that the page can fill in."""


def model_facts(model: Model) -> dict[str, Any]:
    """Return the model's name, columns, methods, parameters and sample rows."""
    contract = model.contract
    baselines: Sequence[Baseline | None] = model.baselines or [None] * len(contract.features)
    return {
        "name": model.name,
        "version": model.version,
        "features": [
            _field(key, feature, baseline)
            for key, feature, baseline in zip(
                contract.column_names, contract.features, baselines, strict=True
            )
        ],
        "methods": contract.methods,
        "parameters": [
            {
                "name": parameter.name,
                "dtype": parameter.dtype,
                "number": Feature(parameter.name, parameter.dtype).numeric,
                "missing": parameter.default is None,
                "several": parameter.several,
                "default": cell(parameter.default),
            }
            for parameter in contract.parameters
        ],
        "rows": [list(map(cell, row)) for row in model.public_example[:MAX_ROWS]],
    }


def cell(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY, default=str).decode()


def _field(key: str, feature: Feature, baseline: Baseline | None) -> dict[str, Any]:
    text = feature.dtype == TEXT  # the values of a baseline are texts, whatever the column's are
    return {
        "key": key,
        "dtype": feature.dtype,
        "number": feature.numeric,
        "missing": feature.missing or feature.optional,
        "categories": list(map(cell, feature.categories)),
        "unseen": feature.unseen,
        "usual": _usual(baseline),
        "common": list(map(cell, (baseline and baseline.values) or ())) if text else [],
    }


def _usual(baseline: Baseline | None) -> list[str]:
    """Return the bounds between which most of the sample's numbers lie; none if they are not
    known."""
    filled = [place for place, rows in enumerate(baseline.counts[:-1]) if rows] if baseline else []
    if baseline is None or len(filled) < QUANTILE_BINS or not baseline.bounds:
        return []
    ends = baseline.bounds[filled[0]], baseline.bounds[filled[-1] - 1]
    return [f"{end:.4g}" for end in ends]
