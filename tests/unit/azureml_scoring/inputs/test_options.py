"""The method and the parameters of a request."""

import pytest

from azureml_scoring import errors
from validated import NAMED, batch, refusal

ROWS = [[1, 2]]


@pytest.mark.parametrize(
    "document",
    [
        {"data": ROWS, "method": "predict_proba"},
        {"data": ROWS, "params": {"method": "predict_proba"}},
        {"inputs": ROWS, "method": "predict_proba", "params": {}},
        {"inputs": ROWS, "method": "predict_proba", "params": None},
        {"input_data": ROWS, "params": {"method": "predict_proba"}},
        {"Inputs": {"data": ROWS}, "GlobalParameters": {"method": "predict_proba"}},
    ],
)
def test_the_method_stands_beside_the_data_or_in_the_parameters(document: object):
    """MLflow calls them params, and Azure ML's AutoML GlobalParameters."""
    assert batch(document).method == "predict_proba"


@pytest.mark.parametrize("number", [1.0, 1])
def test_a_number_in_place_of_automls_parameters_means_nothing(number: float):
    """Microsoft's samples for regression send 1.0, which JavaScript writes as 1."""
    sent = {"Inputs": {"data": [{"a": 1, "b": 2}]}, "GlobalParameters": number}
    assert batch(sent).method == "predict"


@pytest.mark.parametrize(
    ("document", "error", "location"),
    [
        ({"data": ROWS, "params": {"method": "fit"}}, errors.UnknownMethod, "/params/method"),
        (
            {"Inputs": ROWS, "GlobalParameters": {"method": "fit"}},
            errors.UnknownMethod,
            "/GlobalParameters/method",
        ),
        ({"data": ROWS, "params": {"n": 1}}, errors.UnknownParameter, "/params"),
        (
            {"data": ROWS, "params": {"method": "predict", "n": 1}},
            errors.UnknownParameter,
            "/params",
        ),
        ({"data": ROWS, "params": []}, errors.UnknownForm, "/params"),
        ({"data": ROWS, "params": 1.0}, errors.UnknownForm, "/params"),
        (
            {"data": ROWS, "method": "predict", "params": {"method": "predict"}},
            errors.UnknownForm,
            "/params",
        ),
    ],
)
def test_other_parameters_are_refused(document: object, error: type, location: str):
    """A parameter that nobody reads is no silent default."""
    refused = refusal(document, NAMED)
    assert (type(refused), refused.location) == (error, location)


def test_an_unknown_parameter_is_told_what_is_allowed():
    """Only the method, so far."""
    assert '"method"' in refusal({"data": ROWS, "params": {"secret": 1}}, NAMED).message
