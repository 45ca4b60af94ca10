import dataclasses
from pathlib import Path

import pytest

from azureml_scoring.errors import ModelFailed, StartupError
from azureml_scoring.models import golden_check
from azureml_scoring.models.files.manifest import Manifest
from azureml_scoring.models.loading import load
from azureml_scoring.settings import Settings


@pytest.fixture
def packaged(demo_model: Path) -> Manifest:
    return Manifest.read(demo_model)


def test_the_model_that_was_packaged_passes(demo_model: Path, packaged: Manifest):
    """Every method is checked."""
    assert set(packaged.golden_answers) == set(packaged.contract.methods)
    golden_check.check(packaged, load(Settings(scoring_model_path=demo_model)).predict)


def test_another_answer_stops_the_start(demo_model: Path, packaged: Manifest):
    """A model that is silently different never becomes ready."""
    answers = packaged.golden_answers | {
        "predict": [1 - answer for answer in packaged.golden_answers["predict"]]
    }
    other = dataclasses.replace(packaged, golden_answers=answers)
    with pytest.raises(
        StartupError, match=r"answers its golden rows otherwise .*\(predict\)"
    ) as stopped:
        golden_check.check(other, load(Settings(scoring_model_path=demo_model)).predict)
    assert "package the model again" not in str(
        stopped.value
    )  # that would take the other answer for right
    assert "train the model with the versions that run here" in str(stopped.value)


def test_a_model_that_fails_on_them_stops_the_start(packaged: Manifest):
    """A model whose library changed does not start."""

    def fail(batch: object) -> list[object]:
        raise ModelFailed("no") from AttributeError("monotonic_cst")

    with pytest.raises(StartupError, match=r"fails on its golden rows \(predict: AttributeError\)"):
        golden_check.check(packaged, fail)


@pytest.mark.parametrize(
    ("answer", "wanted", "same"),
    [
        (0.1 + 0.2, 0.3, True),
        (0.30001, 0.3, False),
        ([1, [2.0]], [1, [2.0]], True),
        ([1], [1, 2], False),
        ("a", "a", True),
        ("a", "b", False),
        (1, 1.0, True),
        ([1], 1, False),
    ],
)
def test_numbers_may_differ_in_the_last_digits(answer: object, wanted: object, same: bool):
    """No other difference is accepted."""
    assert golden_check.same_answers(answer, wanted) is same
