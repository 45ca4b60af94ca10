"""Splitting a pipeline into tables and a pipeline on floats changes no answer."""

from typing import Any

import imblearn.pipeline
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.under_sampling import RandomUnderSampler
from sklearn.compose import (
    ColumnTransformer,
    make_column_selector,
    make_column_transformer,
)
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import (
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

import mixed_models
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models.engines.onnx_session import open_session
from azureml_scoring.models.engines.table_encoder import TableEncoder
from azureml_scoring.models.estimators.predictor import Predictor
from azureml_scoring.models.golden_check import batch_of
from examples import at_most
from mlops.float_pipeline import float_pipeline
from mlops.graphs import onnx_graphs
from split_pipelines import (
    CITIES,
    FILLED,
    FRAME,
    GAPPY,
    IGNORE,
    NUMBERS,
    TARGET,
    UNKNOWN,
    compare,
    split,
)

pytestmark = pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names")

FRONTS: dict[str, tuple[Any, pd.DataFrame]] = {
    "as in guides": (mixed_models.by_columns(), FRAME),
    "a column in two encoders": (
        make_column_transformer(
            (IGNORE, CITIES), (TargetEncoder(), ["city", "siblings"]), (FILLED, NUMBERS)
        ),
        FRAME,
    ),
    "texts and codes in one encoder": (
        make_column_transformer((UNKNOWN, ["city", "siblings", "member"]), (FILLED, NUMBERS)),
        FRAME,
    ),
    "gaps in texts and booleans": (
        make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="most_frequent"), IGNORE), ["city"]),
            (UNKNOWN, ["cabin", "member"]),
            (FILLED, NUMBERS),
        ),
        GAPPY,
    ),
    "gaps of texts in words": (
        make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), IGNORE), CITIES)
        ),
        GAPPY,
    ),
    "rare values together": (
        make_column_transformer(
            (OneHotEncoder(min_frequency=20, handle_unknown="infrequent_if_exist"), CITIES),
            ("passthrough", ["siblings"]),
        ),
        FRAME,
    ),
    "refusing": (
        make_column_transformer((OneHotEncoder(drop="first"), CITIES), (FILLED, NUMBERS)),
        FRAME,
    ),
    "nested": (
        make_column_transformer(
            (
                make_pipeline(
                    make_column_transformer(
                        (UNKNOWN, ["city"]), remainder=SimpleImputer(strategy="median")
                    ),
                    StandardScaler(),
                ),
                ["city", *NUMBERS],
            ),
            (make_union(SimpleImputer(), MissingIndicator()), NUMBERS),
            remainder="drop",
        ),
        FRAME,
    ),
    "a union of two": (
        make_pipeline(
            FeatureUnion(
                [
                    ("texts", make_column_transformer((IGNORE, CITIES))),
                    ("numbers", make_column_transformer((FILLED, NUMBERS))),
                ]
            ),
            StandardScaler(),
        ),
        FRAME,
    ),
    "pandas in between": (
        make_pipeline(
            make_column_transformer(
                (IGNORE, make_column_selector(dtype_exclude="number")),
                (FILLED, make_column_selector(dtype_include="number")),
                remainder="passthrough",
            ),
            StandardScaler(),
        ).set_output(transform="pandas"),
        FRAME,
    ),
    "weights": (
        FeatureUnion(
            [
                (
                    "columns",
                    ColumnTransformer(
                        [("texts", IGNORE, CITIES), ("numbers", FILLED, NUMBERS)],
                        transformer_weights={"texts": 0.5, "numbers": 3.0},
                    ),
                ),
                ("flags", make_column_transformer(("passthrough", ["member", "siblings"]))),
            ],
            transformer_weights={"columns": 0.25, "flags": 2},
        ),
        FRAME,
    ),
    "categories and bins": (
        make_column_transformer(
            (UNKNOWN, ["city"]),
            (
                KBinsDiscretizer(3, encode="ordinal", quantile_method="averaged_inverted_cdf"),
                ["siblings"],
            ),
            remainder="drop",
        ),
        FRAME.assign(city=FRAME["city"].astype("category")),
    ),
}


@pytest.mark.parametrize("name", FRONTS)
def test_the_pipeline_on_floats_answers_as_the_estimator_does(name: str):
    """For rows of all kinds; what the estimator refuses has no floats."""
    front, frame = FRONTS[name]
    estimator = make_pipeline(front, LogisticRegression(max_iter=1000)).fit(frame, TARGET)
    made, measured = split(estimator, frame)
    compared = compare(made, measured, estimator)
    assert compared > 200


def test_a_search_is_the_pipeline_that_it_found():
    """GridSearchCV around a pipeline is split like the pipeline."""
    pipeline = make_pipeline(mixed_models.by_columns(), LogisticRegression(max_iter=1000))
    search = GridSearchCV(pipeline, {"logisticregression__C": [0.1, 1.0]}, cv=2)
    made, measured = split(search.fit(FRAME, TARGET), FRAME)
    assert compare(made, measured, search) > 300


def test_samplers_behind_the_columns_are_left_out():
    """imbalanced-learn's only work in a fit, so its pipelines on mixed columns are split too."""
    steps = [mixed_models.by_columns(), RandomUnderSampler(random_state=0)]
    pipeline = imblearn.pipeline.make_pipeline(*steps, LogisticRegression(max_iter=1000))
    made, measured = split(pipeline.fit(FRAME, TARGET), FRAME)
    assert compare(made, measured, pipeline) > 200


@pytest.mark.parametrize(
    "estimator", [HistGradientBoostingClassifier(max_iter=3), LogisticRegression(max_iter=1000)]
)
def test_a_model_that_takes_booleans_as_numbers_needs_no_encoder(estimator: Any):
    """Its booleans become 0 and 1, as in the estimator."""
    frame = FRAME[["age", "member", "siblings"]].fillna({"age": 30.0})
    made, measured = split(estimator.fit(frame, TARGET), frame)
    assert compare(made, measured, estimator) > 100


@pytest.mark.parametrize("scaled", [False, True])
def test_columns_in_another_order_are_so_in_the_graph_too(scaled: bool):
    """skl2onnx takes all columns for those in order, and would leave them there."""
    texts = make_column_transformer((UNKNOWN, ["city"]), remainder="passthrough")
    frame = FRAME[["siblings", "city", "member"]]
    steps = [texts, *([StandardScaler()] if scaled else []), LogisticRegression(max_iter=1000)]
    made, measured = split(make_pipeline(*steps).fit(frame, TARGET), frame)
    floats, _ = TableEncoder(made.tables).encode(measured.numbers)
    (graph, *_) = (graph for _, graph in onnx_graphs(made.estimator, made.tables.width))
    _, given = open_session(graph).run(None, {"X": floats})
    np.testing.assert_allclose(given, made.estimator.predict_proba(floats), atol=1e-6)


def test_values_that_only_the_sample_has_are_not_kept():
    """The tables hold what the fitted encoders know, and no other data of people."""
    estimator = make_pipeline(make_column_transformer((IGNORE, CITIES)), LogisticRegression())
    without = FRAME.assign(city=FRAME["city"].where(FRAME["city"] != "Oslo", "Rome"))
    made, _ = split(estimator.fit(without, TARGET), FRAME)
    assert b"Rome" in made.tables.to_bytes()
    assert b"Oslo" not in made.tables.to_bytes()


INDICATED = make_pipeline(SimpleImputer(strategy="most_frequent", add_indicator=True), IGNORE)
MARKED = make_pipeline(
    SimpleImputer(missing_values="Oslo", strategy="constant", fill_value="none"), IGNORE
)


@pytest.mark.parametrize("encoder", [IGNORE, INDICATED, MARKED])
def test_values_of_the_fit_that_the_sample_lacks_are_in_the_table(encoder: Any):
    """Also behind an imputer that adds columns, and the value that an imputer takes for a gap."""
    estimator = make_pipeline(
        make_column_transformer((encoder, ["city"])), LogisticRegression(max_iter=1000)
    ).fit(GAPPY.assign(city=GAPPY["city"].fillna("Rome")) if encoder is MARKED else GAPPY, TARGET)
    without = GAPPY[GAPPY["city"] != "Oslo"]
    made, measured = split(estimator, without)
    rows = measured.numbers[:1].copy()
    rows[0, list(FRAME).index("city")] = "Oslo"
    floats, _ = TableEncoder(made.tables).encode(rows)
    expected = Predictor(estimator, measured.contract)(Batch(rows, "predict_proba"))
    np.testing.assert_allclose(made.estimator.predict_proba(floats), expected)


VALUES = st.sampled_from(["a", "b", "B", "", " a", "é", "10", "nan", "x" * 300])


@settings(max_examples=at_most(20), deadline=None)
@given(
    texts=st.lists(VALUES, min_size=12, max_size=12),
    codes=st.lists(st.integers(-3, 3), min_size=12, max_size=12),
    encoder=st.sampled_from(
        [
            IGNORE,
            UNKNOWN,
            OneHotEncoder(),
            OneHotEncoder(drop="if_binary", handle_unknown="ignore"),
            OneHotEncoder(max_categories=2, handle_unknown="infrequent_if_exist"),
            OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan),
            TargetEncoder(cv=2, random_state=0),
        ]
    ),
    gaps=st.booleans(),
)
def test_any_encoder_is_the_table_that_it_became(
    texts: list[str], codes: list[int], encoder: Any, gaps: bool
):
    """Texts and whole numbers, with values that the fit had and others, and gaps."""
    frame = pd.DataFrame({"text": pd.Series(texts, dtype=object), "code": codes})
    if gaps:
        frame.loc[::5, "text"] = None
    target = np.arange(12) % 2
    front = make_column_transformer((encoder, ["text", "code"]), remainder="drop")
    estimator = front.fit(frame, target)
    features = (Feature("text", "str", missing=gaps), Feature("code", "int64"))
    contract = Contract(features, ("transform",), "frame")
    rows = batch_of([[text, code] for text, code in zip(texts, codes, strict=True)], contract).X
    rows[::5, 0] = None if gaps else rows[::5, 0]
    made = float_pipeline(estimator, contract, rows)
    floats, known = TableEncoder(made.tables).encode(rows)
    assert known is None
    expected = Predictor(estimator, contract)(Batch(rows, "transform"))
    np.testing.assert_array_equal(made.estimator.transform(floats), expected)
