"""A booster's own library answers like the booster, without its wrapper."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boosted
import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

import support  # noqa: F401  puts tests/models on the path
from azureml_scoring.models.boosters import native_file
from azureml_scoring.models.engines.booster_session import booster_session

OUTPUTS = {"predict": "label", "predict_proba": "probabilities"}


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        *itertools.product((boosted.lightgbm, boosted.catboost), ("bools", "numbers", "texts")),
        *itertools.product((boosted.xgboost,), ("bools", "numbers")),
    ],
)
def test_it_answers_labels_and_probabilities_like_the_booster(make: Callable[..., Any], kind: str):
    """Also where values are missing."""
    X = boosted.rows(gaps=True)
    estimator = make(classifier=True).fit(X, boosted.target(kind))
    expected = estimator.predict(X)
    session = booster_session(estimator, OUTPUTS, listed=expected.ndim > 1, threads=1)
    assert session
    (probabilities,) = session.run(["probabilities"], {"X": X})
    np.testing.assert_allclose(probabilities, estimator.predict_proba(X), atol=1e-7)
    (labels,) = session.run(["label"], {"X": X})
    assert labels.tolist() == expected.tolist()
    assert session.runtime.startswith(make.__name__)


@pytest.mark.parametrize("make", [boosted.lightgbm, boosted.xgboost, boosted.catboost])
def test_a_regressors_numbers_are_the_boosters(make: Callable[..., Any]):
    """One number a row."""
    X = boosted.rows(gaps=True)
    estimator = make().fit(X, boosted.target("amounts"))
    session = booster_session(estimator, {"predict": "variable"}, listed=False, threads=1)
    assert session
    (answers,) = session.run(["variable"], {"X": X})
    np.testing.assert_allclose(answers, estimator.predict(X), rtol=1e-6)


def test_a_booster_from_its_librarys_own_file_has_one_too(tmp_path: Path):
    """With the names of its classes."""
    X = boosted.rows()
    estimator = boosted.lightgbm(classifier=True).fit(X, boosted.target("bools").astype(int))
    file = tmp_path / "model.txt"
    estimator.booster_.save_model(file)
    loaded = native_file.read(file.read_bytes(), "lightgbm", ["no", "yes"])
    session = booster_session(loaded, OUTPUTS, listed=False, threads=1)
    assert session
    (labels,) = session.run(["label"], {"X": X})
    assert labels.tolist() == np.array(["no", "yes"])[estimator.predict(X)].tolist()


def test_the_library_is_named_whatever_class_the_booster_is_of():
    """A frozen one, and one of the author's own class."""

    class Own(type(boosted.xgboost())):  # type: ignore[misc]
        pass

    X, amounts = boosted.rows(), boosted.target("amounts")
    frozen = FrozenEstimator(boosted.lightgbm().fit(X, amounts))
    own = Own(n_estimators=2).fit(X, amounts)
    for estimator, library in ((frozen, "lightgbm"), (own, "xgboost")):
        session = booster_session(estimator, {"predict": "variable"}, listed=False, threads=1)
        assert session
        assert session.runtime.startswith(library)


def test_other_models_have_none():
    """Histogram boosting has no library of its own."""
    histogram = boosted.histogram(classifier=True).fit(boosted.rows(), boosted.target("bools"))
    assert booster_session(histogram, OUTPUTS, listed=False, threads=1) is None
