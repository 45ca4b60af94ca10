"""CSV, which has no types: the contract says what a cell is."""

import pytest

from azureml_scoring import errors
from azureml_scoring.inputs.column_order import WrongWidth
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import ANY, CATEGORY, TEXT, Feature
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.media_types import CSV
from validated import NAMED, UNNAMED, one
from validation import validate

THREE = Contract((Feature(None),) * 3, ("predict",))


def read(text: str | bytes, contract: Contract = NAMED) -> list[list[object]]:
    body = text if isinstance(text, bytes) else text.encode()
    rows: list[list[object]] = validate(body, contract, Limits(), CSV).X.tolist()
    return rows


@pytest.mark.parametrize(
    ("text", "contract"),
    [
        ("a,b\n1,2\n3,4\n", NAMED),
        ("a,b\r\n1,2\r\n3,4", NAMED),
        ("a,b\r1,2\r3,4\r", NAMED),
        ("\ufeffa,b\n1,2\n3,4\n", NAMED),
        ("b,a\n2,1\n4,3\n", NAMED),
        (",a,id,b\n0,1,x,2\n1,3,y,4\n", NAMED),
        ('"a","b"\n"1","2"\n\n3,4\n\n', NAMED),
        ("1,2\n3,4\n", NAMED),
        ("1.0,+2\n 3 ,04.\n", NAMED),
        ("1,2\n3,4", UNNAMED),
    ],
)
def test_a_header_is_found_by_its_names(text: str, contract: Contract):
    """With it the columns may stand in any order; without it they are in the order of the fit."""
    assert read(text, contract) == [[1.0, 2.0], [3.0, 4.0]]


def test_the_header_that_pandas_writes_for_columns_without_names_is_one():
    """As for files; of one or two columns it may be values, and is refused."""
    assert read("0,1,2\n5,6,7\n", THREE) == [[5.0, 6.0, 7.0]]
    assert read(",0,1\n0,5,6\n", UNNAMED) == [[5.0, 6.0]]
    with pytest.raises(errors.UnknownForm, match="names or values"):
        read("0,1\n5,6\n", UNNAMED)
    with pytest.raises(errors.UnknownForm, match="names or values"):
        read("5,3\n5,6\n", Contract((Feature("3"), Feature("5")), ("predict",)))
    texts = Contract((Feature("review", TEXT),), ("predict",))
    with pytest.raises(errors.UnknownForm, match="names or values"):
        read("0\ngreat\nbad\n", texts)
    assert read("5\ngreat\n", texts) == [["5"], ["great"]]


@pytest.mark.parametrize(
    ("cells", "feature", "values"),
    [
        (["1", "-2.5", "1e3"], Feature("x"), [1.0, -2.5, 1000.0]),
        (["1", "", "NA", "null"], Feature("x", missing=True), [1.0, None, None, None]),
        (["007", ".5", "+1"], Feature("x"), [7.0, 0.5, 1.0]),
        (["1", "2.0", "9007199254740993"], Feature("x", "int64"), [1, 2, 9007199254740993]),
        (["007", "9007199254740993"], Feature("x", "int64"), [7, 9007199254740993]),
        (["true", "FALSE", "1", "0"], Feature("x", "bool"), [True, False, True, False]),
        (["007", "NA", "", "a,b"], Feature("x", "str", missing=True), ["007", "NA", None, "a,b"]),
        (["red", "3", "3.0", "True", "true"], Feature("x", CATEGORY, categories=("red", 3, True)),
         ["red", 3, 3, True, True]),
        (["2025-11-09", ""], Feature("x", "datetime", missing=True),
         ["2025-11-09T00:00:00.000000000", None]),
    ],
)  # fmt: skip
def test_a_cell_is_what_its_column_holds(cells: list[str], feature: Feature, values: list[object]):
    """Digits of a text stay text, and an empty cell is a missing value."""
    contract = Contract((feature,), ("predict",))
    text = "x\n" + "\n".join(f'"{cell}"' for cell in cells)
    got = [None if value != value else value for (value,) in read(text, contract)]
    assert [(type(value), value) for value in got] == [(type(value), value) for value in values]


@pytest.mark.parametrize(
    ("text", "contract", "error", "location"),
    [
        ("", NAMED, errors.EmptyBody, ""),
        ("\n\n", NAMED, errors.EmptyBody, ""),
        ("a,b\n", NAMED, errors.EmptyBatch, ""),
        (b"a,b\n\xff,1\n", NAMED, errors.MalformedCsv, ""),
        ('a,b\n"1,2\n', NAMED, errors.MalformedCsv, ""),
        ('a,b\n"1"2,2\n', NAMED, errors.MalformedCsv, ""),
        ("a,b\n1,2\n3\n", NAMED, errors.WrongShape, "/1"),
        ("a,c\n1,2\n", NAMED, errors.WrongFeatures, ""),
        ("a;b\n1;2\n", NAMED, errors.WrongFeatures, ""),
        ("a,a,b\n1,1,2\n", NAMED, errors.WrongFeatures, ""),
        ("1,2,3\n", NAMED, WrongWidth, ""),
        ("b,a\n1,2\nx,4\n", NAMED, errors.WrongType, "/1/0"),
        ("a,b\n1,\n", NAMED, errors.MissingValue, "/0/1"),
        ("a,b\n1,inf\n", NAMED, errors.WrongType, "/0/1"),
        ("a,b\n1,1e999\n", NAMED, errors.WrongType, "/0/1"),
        ("a,b\n1,1_0\n", NAMED, errors.WrongType, "/0/1"),
        ('a,b\n"1,2",3\n', NAMED, errors.WrongType, "/0/0"),
        ('a,b\n"[1",5\n"2]",6\n"7,8",9\n', NAMED, errors.WrongType, "/0/0"),
        ('a,b\n1,"\u0663"\n', NAMED, errors.WrongType, "/0/1"),
        ("x\n300\n", one("uint8"), errors.OutOfRange, "/0/0"),
        ("x\nmaybe\n", one("bool"), errors.WrongType, "/0/0"),
        ("x\n1\n", one(ANY), errors.WrongFeatures, ""),
    ],
)
def test_what_is_wrong_with_a_csv_is_named_with_its_place(
    text: str | bytes, contract: Contract, error: type, location: str
):
    """Rows are counted without the header, columns as they were sent."""
    with pytest.raises(errors.ClientError) as caught:
        read(text, contract)
    assert (type(caught.value), caught.value.location) == (error, location)


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("a;b\n1;2\n", "semicolons"),
        ("a;b\n1,5;2,0\n", "semicolons"),
        ("1,5; -2.000,7\n3;4\n", "semicolons"),
        ("1;2\n", "semicolons"),
        ("id\ta\tb\n0\t1\t2\n", "tabs"),
    ],
)
@pytest.mark.parametrize("contract", [NAMED, UNNAMED], ids=["named", "unnamed"])
def test_another_separator_is_named(text: str, separator: str, contract: Contract):
    """With what to send; commas in numbers do not hide it."""
    with pytest.raises(errors.WrongFeatures, match=f"separates values by {separator}; send it"):
        read(text, contract)


def test_semicolons_in_texts_and_names_separate_nothing():
    """Where commas do, or there is one column."""
    assert read("a;b,c\n1,2\n", Contract((Feature("a;b"), Feature("c")), ("predict",)))
    assert read("x\ngood; cheap\n", one(TEXT)) == [["good; cheap"]]
    with pytest.raises(errors.WrongFeatures, match="Columns are missing: x"):
        read("good; cheap\nbad\n", one(TEXT))


def test_a_gap_in_a_lone_column_is_an_empty_line():
    """Lines at the end are not rows."""
    assert read("x\na\n\nb\n\n", one("str", missing=True)) == [["a"], [None], ["b"]]


def test_commas_and_lines_are_bounded_before_they_are_read():
    """A body of commas would take many times its bytes as objects."""
    with pytest.raises(errors.TooManyElements):
        validate(b"," * 1000, NAMED, Limits(max_elements=10, max_rows=10, max_features=10), CSV)


def test_a_number_beyond_64_bits_is_a_float_as_in_json():
    """A whole number that long has no exact place in a batch, and none in the cache's key."""
    contract = one(CATEGORY, categories=(1, 2), unseen=True)
    ((value,),) = read("x\n99999999999999999999\n", contract)
    assert (type(value), value) == (float, 1e20)
    ((most,),) = read("x\n18446744073709551615\n", contract)
    assert (type(most), most) == (int, 2**64 - 1)


@pytest.mark.parametrize("text", ["red,2\n", "Infinity,1\n"])
def test_a_lone_line_that_is_not_numbers_lacks_the_columns(text: str):
    """It is read as a header, so the error says what is missing there, not that rows are."""
    with pytest.raises(errors.WrongFeatures, match="Columns are missing: a, b"):
        read(text)
