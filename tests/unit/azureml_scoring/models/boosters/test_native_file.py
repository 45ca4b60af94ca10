"""Boosters in their library's own file are served without a pickle."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boosted
import numpy as np
import pandas as pd
import pytest

import support  # noqa: F401  puts tests/models on the path
from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.boosters.native_file import read
from azureml_scoring.models.files.file_formats import booster_library
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings

Make = Callable[..., Any]
NAMES = list("abcdef")

FORMS: list[tuple[Make, str]] = [
    (boosted.xgboost, "ubj"),
    (boosted.xgboost, "json"),
    (boosted.lightgbm, "txt"),
    (boosted.catboost, "cbm"),
]
forms = pytest.mark.parametrize(("make", "suffix"), FORMS, ids=[suffix for _, suffix in FORMS])


def saved(make: Make, suffix: str, folder: Path, kind: str, X: Any = None) -> tuple[Any, Path]:
    """Fit and save; return the estimator and the file."""
    classifier = kind in ("bools", "numbers", "texts")
    estimator = make(classifier=classifier)
    estimator.fit(boosted.rows() if X is None else X, boosted.target(kind))
    file = folder / f"model.{suffix}"
    getattr(estimator, "booster_", estimator).save_model(str(file))
    return estimator, file


def opened(file: Path, **options: Any) -> Any:
    library = booster_library(file)
    assert library
    return read(file.read_bytes(), library, **options)


def served(file: Path) -> Model:
    # A pickle would be refused.
    return load(Settings(scoring_model_path=file, scoring_allow_pickle=False))


@forms
@pytest.mark.parametrize("kind", ["bools", "numbers", "amounts"])
def test_the_file_answers_like_the_estimator(make: Make, suffix: str, kind: str, tmp_path: Path):
    """Its objective says whether it has classes. Values may be missing."""
    X = boosted.rows(gaps=True)
    estimator, file = saved(make, suffix, tmp_path, kind, X)
    model = served(file)
    assert len(X) >= 200
    np.testing.assert_array_equal(
        np.array(model.predict(Batch(X, "predict"))), np.ravel(estimator.predict(X))
    )
    if kind == "amounts":
        assert model.contract.methods == ("predict",)
        return
    assert model.contract.methods == ("predict", "predict_proba")
    np.testing.assert_allclose(
        model.predict(Batch(X, "predict_proba")), estimator.predict_proba(X), rtol=1e-7
    )


@forms
def test_the_contract_comes_from_the_file(make: Make, suffix: str, tmp_path: Path):
    """Names, number of columns, and that values may be missing."""
    frame = pd.DataFrame(boosted.rows(gaps=True), columns=NAMES)
    _, file = saved(make, suffix, tmp_path, "numbers", frame)
    contract = served(file).contract
    assert contract.names == tuple(NAMES)
    assert all(feature.missing for feature in contract.features)
    _, file = saved(make, suffix, tmp_path, "amounts", frame.to_numpy())
    contract = served(file).contract
    assert (contract.names, len(contract.features)) == (None, boosted.WIDTH)


def test_catboost_keeps_its_labels_and_threshold(tmp_path: Path):
    """Its file holds both."""
    estimator, file = saved(boosted.catboost, "cbm", tmp_path, "texts")
    X = boosted.rows()
    assert list(opened(file).predict(X)) == list(np.ravel(estimator.predict(X)))
    estimator, file = saved(boosted.catboost, "cbm", tmp_path, "bools")
    estimator.set_probability_threshold(0.8)
    estimator.save_model(str(file))
    answers = opened(file).predict(X)
    assert list(answers) == [str(label) == "True" for label in estimator.predict(X)]


def test_catboosts_counts_are_no_logarithms(tmp_path: Path):
    """A loss may say that the sums are logarithms of the answers."""
    X = boosted.rows()
    estimator = boosted.catboost(loss_function="Poisson").fit(X, boosted.target("counts"))
    estimator.save_model(str(tmp_path / "m.cbm"))
    np.testing.assert_array_equal(opened(tmp_path / "m.cbm").predict(X), estimator.predict(X))


def test_xgboosts_best_iteration_counts_where_its_estimator_saved_the_file(tmp_path: Path):
    """As XGBModel.predict and Booster.predict do."""
    X, y = boosted.rows(), np.random.default_rng(0).normal(size=boosted.COUNT)
    estimator = boosted.xgboost(early_stopping_rounds=2)
    estimator.fit(X[:200], y[:200], eval_set=[(X[200:], y[200:])], verbose=0)
    estimator.save_model(tmp_path / "m.ubj")
    np.testing.assert_array_equal(opened(tmp_path / "m.ubj").predict(X), estimator.predict(X))
    booster = estimator.get_booster()
    booster.set_attr(scikit_learn=None)
    booster.save_model(tmp_path / "m.ubj")
    np.testing.assert_array_equal(opened(tmp_path / "m.ubj").predict(X), booster.inplace_predict(X))


@forms
def test_the_classes_may_be_named(make: Make, suffix: str, tmp_path: Path):
    """In the order of their numbers; as many as there are, each once."""
    estimator, file = saved(make, suffix, tmp_path, "numbers")
    X, names = boosted.rows(), ["low", "mid", "high"]
    expected = np.array(names)[np.ravel(estimator.predict(X))]
    assert list(opened(file, classes=names).predict(X)) == list(expected)
    for wrong in (["no", "yes"], ["no", "no", "yes"], ["no", "no", "yes", "so"]):
        with pytest.raises(ValueError, match=r"has 3 classes \(0, 1, 2\); give --classes"):
            opened(file, classes=wrong)
    _, file = saved(make, suffix, tmp_path, "amounts")
    with pytest.raises(ValueError, match="is a regressor and has no classes"):
        opened(file, classes=names)


@forms
def test_rows_of_another_width_are_refused(make: Make, suffix: str, tmp_path: Path):
    """XGBoost itself would answer some of them."""
    _, file = saved(make, suffix, tmp_path, "numbers")
    for width in (boosted.WIDTH - 1, boosted.WIDTH + 1):
        with pytest.raises(ValueError, match=f"takes 6 columns, and the rows have {width}"):
            opened(file).predict(np.zeros((2, width)))


@pytest.mark.parametrize(
    ("make", "suffix", "damage"),
    [
        (make, suffix, damage)
        for make, suffix in FORMS
        for damage in ("cut", "empty", "hole", "gap")
        # Empty data is no model; and CatBoost can't tell zeros from the numbers of leaves.
        if (suffix, damage) not in [("json", "empty"), ("txt", "empty"), ("cbm", "hole")]
    ],
)
def test_a_damaged_file_gets_a_sentence(make: Make, suffix: str, damage: str, tmp_path: Path):
    """The library must not end the process, as LightGBM and XGBoost do for some."""
    _, file = saved(make, suffix, tmp_path, "numbers")
    whole = file.read_bytes()
    half = len(whole) // 2
    damaged = {
        "cut": whole[:half],
        "empty": b"",
        "hole": whole[:half] + bytes(200) + whole[half + 200 :],
        "gap": whole[:half] + whole[half + 50 :],
    }
    file.write_bytes(damaged[damage])
    with pytest.raises(StartupError) as caught:
        served(file)
    message = str(caught.value)
    assert message.startswith(f"model.{suffix} is damaged or incomplete")
    assert message.endswith("save the model and upload it again.")
    assert "\n" not in message


@forms
def test_a_missing_package_is_named_with_what_installs_it(
    make: Make, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Before anything else of the file is read."""
    _, file = saved(make, suffix, tmp_path, "numbers")
    library = str(booster_library(file))
    monkeypatch.setitem(sys.modules, library, None)
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "azureml_scoring.models.files.load_failure.find_spec",
        lambda name: None if name == library else find_spec(name),
    )
    package = "xgboost-cpu" if library == "xgboost" else library
    with pytest.raises(
        StartupError, match=f"needs the Python module {library}, .*`make lock ADD={package}`"
    ):
        served(file)
