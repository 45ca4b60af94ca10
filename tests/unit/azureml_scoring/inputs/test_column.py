"""Each value keeps its type, and equal values have equal bytes."""

import numpy as np
import pytest

from azureml_scoring import errors
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from validated import batch, one, refusal


def test_equal_moments_are_equal_bytes():
    """A date, a time and its fractions each may be spelt in several ways."""
    spellings = [
        "2025-11-09",
        "2025-11-09T00:00",
        "2025-11-09 00:00:00",
        "2025-11-09T00:00:00.000000000",
    ]
    assert (
        batch([[text] for text in spellings], one("datetime")).X.tolist()
        == [["2025-11-09T00:00:00.000000000"]] * 4
    )
    assert batch([[None]], one("datetime", missing=True)).X.tolist() == [[None]]


@pytest.mark.parametrize(
    "value",
    ["", "now", "2025", "09/11/2025", "2025-13-01", "2025-02-30", "2025-11-09T25:00",
     "2025-11-09T10:00:00Z", "2025-11-09T10:00:00+01:00", "1677-12-31", "2262-01-01", "٢٠٢٥-11-09",
     "2025-11-09\n", 1762646400, True, 1.5],
)  # fmt: skip
def test_what_is_no_moment_is_refused(value: object):
    """This includes a moment with a time zone: the model's zone is unknown, and a guess could
    silently be wrong."""
    told = refusal([[value]], one("datetime"))
    assert isinstance(told, errors.WrongType)
    assert told.message.startswith(
        "Feature x must be a date or time in ISO 8601 and without a time zone, as in 2025-11-09"
    )
    assert told.location == "/0/0"


@pytest.mark.parametrize(
    ("contract", "value", "expected"),
    [
        (one("int64"), 3, 3),
        (one("int64"), 3.0, 3),
        (one("int64"), 2**63 - 1, 2**63 - 1),
        (one("float32"), 0.1, np.float32(0.1)),
        (one("bool"), True, True),
        (one("str"), "Paris", "Paris"),
        (one("str", missing=True), None, None),
        (one("category", categories=("red",)), "red", "red"),
        (one("any"), "text", "text"),
        (one("any"), 2.5, 2.5),
    ],
)
def test_a_value_of_its_type_is_taken(contract: Contract, value: object, expected: object):
    """Whole numbers, single precision, booleans, texts and categories each keep their kind."""
    taken = batch([[value]], contract).X[0, 0]
    assert taken == expected or (taken is None and expected is None)


@pytest.mark.parametrize(
    ("dtype", "categories", "value"),
    [
        ("str", ("Paris", "Rome"), "Oslo"),
        ("category", ("Paris", "Rome"), "Oslo"),
        ("category", (3, 5), 4),
        ("int64", (3, 5), 4),
        ("float32", (0.5, 0.1), 0.2),
        ("float64", (3, 5.5), 5.25),
    ],
)
def test_a_value_that_the_model_would_refuse_is_refused_by_its_column(
    dtype: str, categories: tuple[object, ...], value: object
):
    """The known ones are taken, alone and among others."""
    contract = one(dtype, missing=True, categories=categories)
    known = [[category] for category in categories]
    assert len(batch([*known, [None]], contract).X) == 3
    told = refusal([*known, [value]], contract)
    assert told.message == (
        "Feature x must be one of the 2 values of the fit: the model takes no others there."
    )
    assert (told.location, told.code) == ("/2/0", "wrong_type")


@pytest.mark.parametrize(
    ("categories", "value", "other", "rule"),
    [
        (("Paris", "Rome"), "Oslo", 4, "text"),
        ((3, 5.5), 4, "3", "a number"),
        ((True, False), True, 1, "true or false"),
        (("a", 1), "b", None, "not be null"),
    ],
)
def test_other_categories_are_taken_where_the_model_takes_them(
    categories: tuple[object, ...], value: object, other: object, rule: str
):
    """They are of the type of the known ones."""
    contract = one("category", categories=categories, unseen=True)
    assert batch([[value], [categories[0]]], contract).X.tolist() == [[value], [categories[0]]]
    assert rule in refusal([[value], [other]], contract).message


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_null_is_nan_where_the_model_takes_missing_values(dtype: str):
    """Among numbers a missing value is NaN, for whole numbers too."""
    assert np.isnan(batch([[None]], one(dtype, missing=True)).X[0, 0])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32"])
def test_null_goes_beside_known_values(dtype: str):
    """A column of numbers that takes missing values takes them beside those of the fit too."""
    known = Feature("a", dtype, missing=True, categories=(1, 2))
    contract = Contract((known, Feature("b", "str")), ("predict",))
    (missing, _), (one_of_them, _) = batch([[None, "x"], [2, "y"]], contract).X.tolist()
    assert np.isnan(missing)
    assert one_of_them == 2
