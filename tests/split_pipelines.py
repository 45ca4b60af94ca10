"""Pipelines on mixed columns, split into tables and a pipeline on floats, and compared."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

import mixed_models
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.engines.table_encoder import TableEncoder
from azureml_scoring.models.estimators.predictor import Predictor
from mlops.float_pipeline import float_pipeline
from mlops.measure import Measurement, measure
from mlops.mixed_rows import MixedRows
from mlops.say import silent

FRAME, TARGET = mixed_models.passengers(120)
CITIES, NUMBERS = ["city", "cabin", "deck"], ["age", "fare"]
GAPPY = FRAME.assign(
    city=FRAME["city"].mask(FRAME["siblings"] == 1),
    member=FRAME["member"].astype(object).mask(FRAME["siblings"] == 2),
)
IGNORE = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
UNKNOWN = OrdinalEncoder(
    handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
)
FILLED = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())


def split(estimator: Any, frame: pd.DataFrame) -> tuple[Any, Measurement]:
    measured = measure(estimator, frame, silent)
    return float_pipeline(estimator, measured.contract, measured.numbers), measured


def compare(made: Any, measured: Measurement, estimator: Any) -> int:
    encoder, direct = TableEncoder(made.tables), Predictor(estimator, measured.contract)
    compared = 0
    sets = MixedRows(measured.numbers, measured.contract, made).sets([])
    for rows in (rows[:100] for _, rows in sets if len(rows)):
        floats, known = encoder.encode(rows)
        own = np.ones(len(rows), bool) if known is None else known
        own &= ~np.isnan(floats[:, : encoder.numbers]).any(axis=1)
        if not own.any():
            continue
        expected = direct(Batch(rows[own], "predict_proba"))
        np.testing.assert_allclose(made.estimator.predict_proba(floats[own]), expected, atol=1e-9)
        compared += int(own.sum())
    return compared
