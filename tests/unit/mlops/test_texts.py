"""Pipelines that read texts by their words are compiled, and answer as scikit-learn does."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import (
    MaxAbsScaler,
    Normalizer,
    OneHotEncoder,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC

import text_models
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.engines.table_encoder import TableEncoder
from azureml_scoring.models.estimators.predictor import Predictor
from mlops.float_pipeline import FloatPipeline, float_pipeline
from mlops.measure import measure
from mlops.mixed_rows import MixedRows
from mlops.parity import NotProven
from mlops.say import silent

pytestmark = [
    pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

FRAME, TARGET = text_models.reviews(200)
CLASSES = FRAME["city"].to_numpy()
LOGISTIC = LogisticRegression(max_iter=1000)
NETWORK = MLPClassifier([8], max_iter=30, random_state=0)

ALONE: dict[str, Any] = {
    "words, logistic": make_pipeline(TfidfVectorizer(), LOGISTIC),
    "letters, logistic": make_pipeline(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True), LOGISTIC
    ),
    "pairs of words, chosen": make_pipeline(
        CountVectorizer(ngram_range=(1, 2), stop_words="english"),
        TfidfTransformer(),
        SelectKBest(chi2, k=30),
        LinearSVC(),
    ),
    "counts, naive Bayes": make_pipeline(CountVectorizer(), MultinomialNB()),
    "complement naive Bayes": make_pipeline(TfidfVectorizer(), ComplementNB()),
    "words there or not there": make_pipeline(CountVectorizer(), BernoulliNB()),
    "chosen words there or not": make_pipeline(
        TfidfVectorizer(), SelectKBest(chi2, k=20), BernoulliNB()
    ),
    "hashed, gradient descent": make_pipeline(
        HashingVectorizer(n_features=2**12), SGDClassifier(random_state=0)
    ),
    "scaled": make_pipeline(TfidfVectorizer(), StandardScaler(with_mean=False), LOGISTIC),
    "latent, normed": make_pipeline(
        TfidfVectorizer(), TruncatedSVD(5, random_state=0), Normalizer(), LOGISTIC
    ),
    "support vectors": make_pipeline(TfidfVectorizer(), SVC(kernel="linear")),
    "latent, forest": make_pipeline(
        TfidfVectorizer(), TruncatedSVD(5, random_state=0), RandomForestClassifier(5)
    ),
    "few words, forest": make_pipeline(CountVectorizer(), RandomForestClassifier(5)),
    "calibrated": make_pipeline(TfidfVectorizer(), CalibratedClassifierCV(LinearSVC(), cv=2)),
    "voting": make_pipeline(
        TfidfVectorizer(),
        VotingClassifier([("a", LOGISTIC), ("b", MultinomialNB())], voting="soft"),
    ),
    "network": make_pipeline(TfidfVectorizer(), NETWORK),
    "searched": GridSearchCV(
        make_pipeline(TfidfVectorizer(), LOGISTIC), {"tfidfvectorizer__norm": ["l1"]}, cv=2
    ),
    "words and letters": make_pipeline(
        make_union(TfidfVectorizer(), TfidfVectorizer(analyzer="char", ngram_range=(1, 2))),
        MaxAbsScaler(),
        LOGISTIC,
    ),
    "weighted": make_pipeline(
        FeatureUnion(
            [("words", TfidfVectorizer()), ("counts", CountVectorizer())],
            transformer_weights={"words": 2, "counts": -0.5},
        ),
        LOGISTIC,
    ),
}


def compare(estimator: Any, frame: pd.DataFrame) -> FloatPipeline:
    """Compare the pipeline on floats with the estimator, on rows of all kinds."""
    measured = measure(estimator, frame, silent)
    made = float_pipeline(estimator, measured.contract, measured.numbers)
    encoder, direct = TableEncoder(made.tables), Predictor(estimator, measured.contract)
    compared = 0
    for _, every in MixedRows(measured.numbers, measured.contract, made).sets([]):
        rows = every[:100]
        if not len(rows):
            continue
        floats, known = encoder.encode(rows)
        assert known is None
        for method in {"predict", "predict_proba"} & {*measured.contract.methods}:
            given = getattr(made.estimator, method)(floats)
            expected = np.asarray(direct(Batch(rows, method)))
            if expected.dtype.kind == "f":
                np.testing.assert_allclose(given, expected, rtol=1e-9, atol=1e-9)
            else:
                assert given.tolist() == expected.tolist()
            compared += len(expected)
    assert compared > 400
    return made


@pytest.mark.parametrize("name", ALONE)
def test_a_model_of_texts_alone_is_compiled(name: str):
    """Fitted on a Series; compared on texts known and strange."""
    estimator = ALONE[name].fit(FRAME["text"], TARGET)
    made = compare(estimator, FRAME[["text"]])
    assert made.tables.width < 60


@pytest.mark.parametrize(
    "end",
    [LOGISTIC, RidgeClassifier(), OneVsRestClassifier(LOGISTIC), MultinomialNB()],
    ids=lambda end: type(end).__name__,
)
def test_three_classes_are_compiled(end: Any):
    """Each class has a sum of its own."""
    estimator = make_pipeline(TfidfVectorizer(), end).fit(FRAME["text"], CLASSES)
    compare(estimator, FRAME[["text"]])


@pytest.mark.parametrize("end", [Ridge(), LinearRegression()], ids=lambda end: type(end).__name__)
def test_regressions_are_compiled(end: Any):
    """A number for each text."""
    estimator = make_pipeline(TfidfVectorizer(max_features=20), end).fit(
        FRAME["text"], FRAME["price"]
    )
    compare(estimator, FRAME[["text"]])


WORDS = TfidfVectorizer(min_df=2)
BESIDE: dict[str, Any] = {
    "numbers and a city": make_column_transformer(
        (StandardScaler(), ["price", "stars"]),
        (WORDS, "text"),
        (OneHotEncoder(handle_unknown="ignore"), ["city"]),
    ),
    "text first": make_column_transformer(
        (make_pipeline(CountVectorizer(), TfidfTransformer()), "text"), remainder="drop"
    ),
    "two readings of a text": make_column_transformer(
        (make_union(WORDS, CountVectorizer(analyzer="char")), "text"),
        ("passthrough", ["price"]),
    ),
    "the text's few values too": make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["text", "city"]), (WORDS, "text")
    ),
    "latent": make_column_transformer(
        (make_pipeline(WORDS, TruncatedSVD(4, random_state=0), Normalizer()), "text"),
        (StandardScaler(), ["price"]),
    ),
    "weighted": ColumnTransformer(
        [("words", WORDS, "text"), ("numbers", StandardScaler(), ["price"])],
        transformer_weights={"words": 3, "numbers": 0.5},
    ),
    "in a union": FeatureUnion(
        [
            ("words", make_column_transformer((WORDS, "text"))),
            ("numbers", make_column_transformer((StandardScaler(), ["price", "stars"]))),
        ]
    ),
}


@pytest.mark.parametrize(
    "end",
    [LOGISTIC, RandomForestClassifier(5, random_state=0)],
    ids=lambda end: type(end).__name__,
)
@pytest.mark.parametrize("name", BESIDE)
def test_texts_beside_other_columns_are_compiled(name: str, end: Any):
    """The text's weights become sums of its own, the others stay what they are."""
    estimator = make_pipeline(BESIDE[name], end).fit(FRAME, TARGET)
    compare(estimator, FRAME)


def test_a_text_column_chosen_by_its_place_is_compiled():
    """The model was fitted on an array of objects."""
    columns = make_column_transformer((StandardScaler(), [1, 2]), (WORDS, 0))
    estimator = make_pipeline(columns, LOGISTIC).fit(FRAME.to_numpy(), TARGET)
    compare(estimator, FRAME)


def test_pandas_categories_are_texts_too():
    """Their words are read, the categories are the contract's."""
    frame = FRAME[["city", "price"]].astype({"city": "category"})
    columns = make_column_transformer((CountVectorizer(), "city"), remainder="passthrough")
    estimator = make_pipeline(columns, LOGISTIC).fit(frame, TARGET)
    compare(estimator, frame)


class Stemmed(CountVectorizer):
    """An author's own."""

    def build_analyzer(self) -> Any:
        return lambda text: [word[:3] for word in text.split()]


REFUSED: dict[str, tuple[Any, str]] = {
    "a function that splits": (
        make_pipeline(CountVectorizer(tokenizer=str.split, token_pattern=None), LOGISTIC),
        "has a function of your own for tokenizer",
    ),
    "functions that read": (
        make_pipeline(TfidfVectorizer(preprocessor=str.upper, strip_accents=str.strip), LOGISTIC),
        "for preprocessor and strip_accents",
    ),
    "an analyzer": (make_pipeline(CountVectorizer(analyzer=str.split), LOGISTIC), "for analyzer"),
    "a class": (make_pipeline(Stemmed(), LOGISTIC), "Stemmed is a class of your own"),
    "many terms, trees": (
        make_pipeline(HashingVectorizer(n_features=3_000), RandomForestClassifier(3)),
        "takes each of the 3,000 terms of HashingVectorizer as a column; put a TruncatedSVD",
    ),
    "counts of one byte": (
        make_pipeline(CountVectorizer(dtype=np.uint8), LOGISTIC),
        "counts terms in uint8, which is too small for a long text; give it dtype=np.float32",
    ),
    "normed twice": (
        make_pipeline(HashingVectorizer(n_features=2**8), TfidfTransformer(norm=None), LOGISTIC),
        "has divided by its norm already",
    ),
    "only transforms": (make_pipeline(CountVectorizer(), TfidfTransformer()), "it only transforms"),
    "in each member": (
        VotingClassifier([("a", make_pipeline(TfidfVectorizer(), LOGISTIC))]),
        "a vectorizer before the model, in one Pipeline",
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_compiled_says_why(name: str):
    """In words of the vectorizer's own options."""
    estimator, why = REFUSED[name]
    estimator = estimator.fit(FRAME["text"], TARGET)
    measured = measure(estimator, FRAME[["text"]], silent)
    with pytest.raises(NotProven, match=why):
        float_pipeline(estimator, measured.contract, measured.numbers)


def test_too_many_weights_say_how_to_have_fewer(monkeypatch: pytest.MonkeyPatch):
    """By the vectorizer's option."""
    monkeypatch.setattr("mlops.text_vector.MAX_WEIGHTS", 10)
    estimator = make_pipeline(TfidfVectorizer(), LOGISTIC).fit(FRAME["text"], TARGET)
    measured = measure(estimator, FRAME[["text"]], silent)
    with pytest.raises(NotProven, match="too many; limit them by its option max_features"):
        float_pipeline(estimator, measured.contract, measured.numbers)
