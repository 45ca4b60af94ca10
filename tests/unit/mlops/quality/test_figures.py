"""The figures of ``mlops quality``: their values are scikit-learn's, and their intervals hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, ndtr
from sklearn import metrics

from azureml_scoring.errors import StartupError
from mlops.quality.classification import classification, label
from mlops.quality.intervals import Estimate
from mlops.quality.join import Joined
from mlops.quality.judge import judge, passed
from mlops.quality.regression import regression

SIMULATIONS = 100
LEAST_COVERAGE = 0.87
"""Of 100 intervals that hold in 95 %, fewer are right once in a thousand times."""


def drawn(
    rng: np.random.Generator, requests: int, rows: int, base: float, shared: float = 0.5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return calibrated probabilities, what came true, and requests. ``shared``: how alike the
    rows of a request are in what comes true."""
    blocks = np.repeat(np.arange(requests), rows)
    probability = expit(base + 1.5 * rng.normal(size=len(blocks)))
    chance = np.sqrt(shared) * rng.normal(size=requests)[blocks]
    chance += np.sqrt(1 - shared) * rng.normal(size=len(blocks))
    return probability, (ndtr(chance) < probability) * 1, blocks


def of_two(probability: np.ndarray, happened: np.ndarray, blocks: np.ndarray) -> Joined:
    return Joined(
        np.column_stack([1 - probability, probability]).tolist(), happened.tolist(), blocks, ()
    )


def holds(figure: Estimate, true: float) -> bool:
    return figure.low <= true <= figure.high


def test_the_figures_of_classes_are_those_of_scikit_learn():
    """Accuracy, log loss, Brier score, precision and recall, of three classes and of two."""
    rng = np.random.default_rng(0)
    names = np.array(["a", "b", "c"])
    p = rng.dirichlet([1, 2, 3], 500)
    truth = np.array([rng.choice(names, p=row) for row in p])
    joined = Joined(p.tolist(), truth.tolist(), np.arange(500) // 3, ())
    figures = classification(joined, names.tolist()).figures
    predicted = names[p.argmax(axis=1)]
    assert figures["accuracy"].value == pytest.approx(metrics.accuracy_score(truth, predicted))
    assert figures["log_loss"].value == pytest.approx(metrics.log_loss(truth, p))
    expected = metrics.precision_recall_fscore_support(truth, predicted, labels=names)
    for place, name in enumerate(names):
        assert figures[f"precision({name})"].value == pytest.approx(expected[0][place])
        assert figures[f"recall({name})"].value == pytest.approx(expected[1][place])
    probability, happened, blocks = drawn(rng, 300, 1, -1)
    figures = classification(of_two(probability, happened, blocks), ()).figures
    brier = metrics.brier_score_loss(happened, probability)
    assert figures["brier_score"].value == pytest.approx(brier)


def test_the_figures_of_numbers_are_those_of_scikit_learn():
    """Mean absolute error, root mean squared error, bias and R2."""
    rng = np.random.default_rng(0)
    truth = 1e6 + rng.normal(size=400)
    predicted = truth + rng.normal(0.3, 1, 400)
    figures = regression(
        Joined(predicted.tolist(), truth.tolist(), np.arange(400) // 2, ())
    ).figures
    assert figures["mae"].value == pytest.approx(metrics.mean_absolute_error(truth, predicted))
    assert figures["rmse"].value == pytest.approx(metrics.root_mean_squared_error(truth, predicted))
    assert figures["bias"].value == pytest.approx((predicted - truth).mean())
    assert figures["r2"].value == pytest.approx(metrics.r2_score(truth, predicted))


def test_r2_of_one_value_is_told_not_computed():
    """If all truths are equal there is nothing to explain."""
    quality = regression(Joined([1.0, 2.0] * 100, [1.0] * 200, np.arange(200), ()))
    assert "r2" not in quality.figures
    assert "one value" in quality.notes[0]


@pytest.mark.parametrize(
    ("requests", "rows", "base"), [(30, 20, -1.0), (200, 1, -1.0), (100, 5, -3.0)]
)
def test_intervals_hold_if_rows_of_a_request_are_alike(requests: int, rows: int, base: float):
    """In 95 % of all cases, also of few requests with many rows, and of rare events."""
    rng = np.random.default_rng(0)
    p, _, _ = drawn(rng, 100_000, 1, base)
    true = {
        "accuracy": np.where(p > 0.5, p, 1 - p).mean(),
        "log_loss": -(p * np.log(p) + (1 - p) * np.log(1 - p)).mean(),
        "brier_score": (p * (1 - p)).mean(),
        "recall(1)": p[p > 0.5].sum() / p.sum(),
        "calibration_error": 0.0,
    }
    right = dict.fromkeys(true, 0)
    for _ in range(SIMULATIONS):
        figures = classification(of_two(*drawn(rng, requests, rows, base)), ()).figures
        for name, value in true.items():
            right[name] += holds(figures[name], value)
    assert {name: n for name, n in right.items() if n < LEAST_COVERAGE * SIMULATIONS} == {}


def test_intervals_of_numbers_hold_if_rows_of_a_request_are_alike():
    """Errors that a request's rows share widen them."""
    rng = np.random.default_rng(0)
    right = dict.fromkeys(("mae", "rmse", "bias", "r2"), 0)
    true = {"mae": np.sqrt(2 * 2 / np.pi), "rmse": np.sqrt(2), "bias": 0.0, "r2": 1 - 2 / 9}
    for _ in range(SIMULATIONS):
        blocks = np.repeat(np.arange(60), 10)
        truth = rng.normal(0, 3, 600)
        predicted = truth + rng.normal(size=60)[blocks] + rng.normal(size=600)
        figures = regression(Joined(predicted.tolist(), truth.tolist(), blocks, ())).figures
        for name, value in true.items():
            right[name] += holds(figures[name], value)
    assert {name: n for name, n in right.items() if n < LEAST_COVERAGE * SIMULATIONS} == {}


def test_an_overconfident_model_is_seen():
    """Its calibration error lies above what chance adds, by the whole interval."""
    rng = np.random.default_rng(0)
    probability, happened, blocks = drawn(rng, 2000, 1, 0)
    sharper = expit(2 * np.log(probability / (1 - probability)))
    quality = classification(of_two(sharper, happened, blocks), ())
    assert quality.calibration is not None
    assert quality.figures["calibration_error"].low > quality.calibration.chance
    true = np.abs(sharper - probability).mean()
    assert holds(quality.figures["calibration_error"], true)


def test_all_right_is_not_sure_to_stay_so():
    """Of 300 requests without a mistake the accuracy may still be below 99 %."""
    accuracy = classification(Joined(["a", "b"] * 150, ["a", "b"] * 150, np.arange(300), ()), ())
    figure = accuracy.figures["accuracy"]
    assert (figure.value, figure.high) == (1.0, 1.0)
    assert figure.low == pytest.approx(0.9878, abs=1e-4)


@pytest.mark.parametrize("value", [1, 1.0, "1"])
def test_a_class_is_the_same_in_all_files(value: object):
    """A CSV, JSON and pandas write a whole number in different ways."""
    assert label(value) == "1"


def test_classes_that_the_model_does_not_know_are_told():
    """They count as wrong, and have no probability to be scored."""
    p = [[0.9, 0.1], [0.2, 0.8]] * 150
    truth = ["no", "yes"] * 149 + ["new", "yes"]
    quality = classification(Joined(p, truth, np.arange(300), ()), ["no", "yes"])
    assert quality.figures["accuracy"].value == pytest.approx(299 / 300)
    assert quality.figures["log_loss"].value < 0.2
    assert quality.notes[0] == (
        "the classes new of 1 truths are none of the model's, and count as wrong"
    )


@pytest.mark.parametrize(
    ("predictions", "classes", "message"),
    [
        ([[0.5, 0.5]], (), "nothing says of which classes"),
        ([[0.5, 0.5]], ("a",), "names 1 classes"),
        ([[0.5, 0.9]], ("a", "b"), "does not sum to 1"),
        ([[0.5, 0.5], [1.0]], ("a", "b"), "no probabilities of classes"),
        ([[[1.0]]], ("a",), "no probabilities of classes"),
    ],
)
def test_what_are_no_probabilities_is_one_sentence(
    predictions: list[list[float]], classes: tuple[str, ...], message: str
):
    """Classes are never guessed: a wrong order would be judged as a bad model."""
    joined = Joined(predictions, ["a"] * len(predictions), np.arange(len(predictions)), ())
    with pytest.raises(StartupError, match=message):
        classification(joined, classes)


def test_a_limit_is_passed_only_for_sure():
    """The whole interval lies beyond it: below for what should be high, above for errors, on
    either side for a bias."""
    figures = {
        "accuracy": Estimate(0.85, 0.8, 0.9),
        "recall(a)": Estimate(0.85, 0.8, 0.9),
        "mae": Estimate(4, 3, 5),
        "bias": Estimate(-4, -5, -3),
    }
    assert not passed(figures, {"accuracy": 0.89, "recall(a)": 0.5, "mae": 3.5, "bias": 4})
    limits = {"accuracy": 0.91, "recall(a)": 0.95, "mae": 2.9, "bias": 2}
    assert [line.split()[0] for line in passed(figures, limits)] == [*limits]


def test_the_task_is_seen_from_the_values():
    """Texts, booleans, probabilities and few whole numbers are classes; others are numbers."""
    for predictions, truths, task in (
        (["a"], ["b"], "classification"),
        ([True], [False], "classification"),
        ([1, 0, 1], [1.0, 0.0, 1.0], "classification"),
        ([0.5, 1.0], [1, 0], "regression"),
        ([*range(50)], [*range(50)], "regression"),
    ):
        joined = Joined(predictions, truths, np.arange(len(truths)), ())
        assert judge(joined, None, ()).task == task
