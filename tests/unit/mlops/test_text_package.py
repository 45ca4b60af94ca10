"""A packaged model of texts takes one column of texts, and answers as its estimator does."""

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer

import support
import text_models
from azureml_scoring.errors import MissingValue, WrongFeatures, WrongType
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models import compiled_model
from azureml_scoring.models.estimators.predictor import Predictor
from azureml_scoring.models.golden_check import NO_LIMITS, batch_of
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from mlops.measure import measure
from mlops.parity import TOLERANCE
from mlops.say import silent
from validation import validate

STRANGE = [
    "",
    " \n\t",
    "the of and",
    "GREAT, quick!! lovely café; CAFÉ?",
    "Ünïcödé 日本語 😀 great\u200bdirty",
    "great " * 5_000,
    "x" * 50_000,
    "12 3.4 order #24",
    "<b>great</b> it's o'clock",
]


def from_(path: Path, **options: object) -> Model:
    return load(Settings(scoring_model_path=path, **options))


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, pd.DataFrame, Path]:
    estimator, frame = text_models.logistic()
    return estimator, frame, support.packaged(estimator, frame, tmp_path_factory.mktemp("texts"))


@pytest.fixture(autouse=True)
def quick_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine shall not decide whether the models here are quick."""
    monkeypatch.setattr(compiled_model, "INLINE_PREDICT_LIMIT_S", 10.0)


def test_it_answers_as_the_estimator(reviews: Any):
    """Every method: for texts of the sample and strange ones, together and alone."""
    estimator, frame, folder = reviews
    model, texts = from_(folder), [*frame["text"][:200], *STRANGE]
    assert model.backend == "onnx"
    assert model.contract.container == "list"
    for method in model.contract.methods:
        batch = batch_of([[text] for text in texts], model.contract)._replace(method=method)
        expected = getattr(estimator, method)(texts)
        np.testing.assert_allclose(model.predict(batch), expected, rtol=TOLERANCE, atol=TOLERANCE)
        for place in (3, 200, 204):
            (alone,) = model.predict(batch._replace(X=batch.X[place : place + 1]))
            np.testing.assert_allclose(alone, expected[place], rtol=TOLERANCE, atol=TOLERANCE)


def test_rows_of_several_requests_are_joined_and_long_texts_are_not(reviews: Any):
    """Joined rows get the answers that they get alone; a long text must not hold others up."""
    _, frame, folder = reviews
    model = from_(folder)
    rows = [[text] for text in [*frame["text"][:9], *STRANGE[:5]]]
    batch = batch_of(rows, model.contract)._replace(method="predict_proba")
    assert model.quick
    assert model.quick(batch)
    assert not model.quick(batch_of([["great " * 5_000]], model.contract))
    assert model.each
    alone = [batch._replace(X=batch.X[k : k + 1]) for k in range(len(rows))]
    inline = [(quick, one) for one in alone if (quick := model.quick(one))]
    assert model.each(inline) == [model.predict(one) for _, one in inline]
    assert len(inline) > 9


FORMS: dict[str, Any] = {
    "rows": {"data": [["great"], ["late"]]},
    "columns": {
        "input_data": {"columns": ["text"], "index": [0, 1], "data": [["great"], ["late"]]}
    },
    "one row": {"data": ["great"]},
}


@pytest.mark.parametrize("name", FORMS)
def test_texts_come_in_rows_of_one(reviews: Any, name: str):
    """With the column's name or without."""
    estimator, _, folder = reviews
    model = from_(folder)
    batch = validate(orjson.dumps(FORMS[name]), model.contract, NO_LIMITS)
    texts = batch.X[:, 0].tolist()
    assert texts == ["great", "late"][: len(texts)]
    assert model.predict(batch) == estimator.predict(texts).tolist()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ([["great"], [None]], MissingValue),
        ([[3]], WrongType),
        ([["a", "b"]], WrongFeatures),
        (["a", "b"], WrongFeatures),
    ],
)
def test_what_is_no_text_is_refused(reviews: Any, data: Any, error: type[Exception]):
    """A vectorizer takes no missing text."""
    _, _, folder = reviews
    with pytest.raises(error):
        batch_of(data, from_(folder).contract)


def test_words_beside_other_columns(tmp_path: Path):
    """Words, letters, numbers and a city in one model."""
    estimator, frame = text_models.beside_numbers()
    model = from_(support.packaged(estimator, frame, tmp_path))
    assert model.backend == "onnx"
    assert model.quick
    rows = frame[:200].assign(text=[*STRANGE, *frame["text"][len(STRANGE) : 200]])
    for method in ("predict", "predict_proba", "decision_function"):
        batch = batch_of(rows.to_numpy().tolist(), model.contract)._replace(method=method)
        expected = getattr(estimator, method)(rows)
        np.testing.assert_allclose(model.predict(batch), expected, rtol=TOLERANCE, atol=TOLERANCE)


def lowered(texts: pd.Series) -> pd.Series:
    return texts.str.lower().fillna("")


def trimmed(texts: list[str]) -> list[str]:
    return [text.strip() for text in texts]


def split(text: str) -> list[str]:
    return text.split("-")


FORMS_OF_MODELS: dict[str, Any] = {
    "a function of a Series": make_pipeline(
        FunctionTransformer(lowered), TfidfVectorizer(), LogisticRegression()
    ),
    "a function of a list": make_pipeline(
        FunctionTransformer(trimmed), TfidfVectorizer(), LogisticRegression()
    ),
    "two vectorizers": make_pipeline(
        make_union(TfidfVectorizer(), CountVectorizer(analyzer="char")), LogisticRegression()
    ),
    "hashed": make_pipeline(HashingVectorizer(n_features=2**8), LogisticRegression()),
    "a function that splits": make_pipeline(
        CountVectorizer(tokenizer=split, token_pattern=None), LogisticRegression()
    ),
    "a vectorizer alone": TfidfVectorizer(max_features=5),
}


@pytest.mark.parametrize("name", FORMS_OF_MODELS)
def test_every_form_of_a_model_of_texts_is_served(name: str):
    """Whether it was fitted on a Series or a list, it gets its texts as it needs them."""
    frame, target = text_models.reviews(60)
    texts = frame["text"].tolist() if "list" in name else frame["text"]
    estimator = FORMS_OF_MODELS[name].fit(texts, target)
    contract = measure(estimator, frame[["text"]], silent).contract
    predict, method = Predictor(estimator, contract), contract.methods[0]
    asked = pd.Series([*frame["text"][:20], *STRANGE])
    X = batch_of([[text] for text in asked], contract).X
    expected = getattr(estimator, method)(asked)
    expected = expected.toarray() if hasattr(expected, "toarray") else expected
    np.testing.assert_allclose(predict(Batch(X, method)), expected, atol=TOLERANCE)
    for place in (0, 21):
        (alone,) = predict(Batch(X[place : place + 1], method))
        np.testing.assert_allclose(alone, expected[place], atol=TOLERANCE)


def test_a_function_that_fills_gaps_takes_missing_texts():
    """They are the model's to answer, then."""
    frame, target = text_models.reviews(60)
    estimator = FORMS_OF_MODELS["a function of a Series"].fit(frame["text"], target)
    contract = measure(estimator, frame[["text"]], silent).contract
    batch = batch_of([[None], ["great"]], contract)
    assert (
        Predictor(estimator, contract)(batch)
        == estimator.predict(pd.Series(["", "great"])).tolist()
    )
