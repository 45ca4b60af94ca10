"""`mlops score` against servers that answer as no scoring server should."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sklearn.linear_model import LinearRegression

import support
from azureml_scoring.errors import ClientError
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.limits import Limits
from hostile_server import Pieces, answer, bomb, hostile
from score_command import refusal, score, table
from validation import validate

MODEL_STATUS = "ms-azureml-model-error-statuscode"
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1,"
ESCAPES = "\x1b]0;title\x07\x1b[31m red\nsecond line\r\x9b2J\u202e"
ANSWERS = {
    "fewer": (answer(b'{"predictions": [1]}'), "answered 1 predictions for 3 rows"),
    "more": (
        answer(b'{"predictions": [1, 2, 3, 4, 5, 6, 7]}'),
        "answered 7 predictions for 3 rows",
    ),
    "none": (answer(b'{"predictions": []}'), "answered 0 predictions for 3 rows"),
    "an empty list": (answer(b"[]"), "answered 0 predictions for 3 rows"),
    "an error with 200": (answer(b'{"error": "x"}'), "answered 200 with an error: x"),
    "an error beside predictions": (
        answer(b'{"error": "x", "predictions": [1, 2, 3]}'),
        "with an error: x",
    ),
    "another object": (answer(b'{"result": [1, 2, 3]}'), "without a list of predictions"),
    "predictions that are no list": (
        answer(b'{"predictions": {"0": 1}}'),
        "without a list of predictions",
    ),
    "predictions that are a text": (
        answer(b'{"predictions": "abc"}'),
        "without a list of predictions",
    ),
    "a number": (answer(b"1"), "without a list of predictions"),
    "null": (answer(b"null"), "without a list of predictions"),
    "a page": (answer(b"<html>sign in</html>"), "without a list of predictions"),
    "nothing": (answer(b""), "without a list of predictions"),
    "NaN": (answer(b'{"predictions": [NaN, 1, 2]}'), "without a list of predictions"),
    "bytes that are no text": (answer(b'["\xff\xfe", 1, 2]'), "without a list of predictions"),
    "nested deeper than JSON is read": (answer(b"[" * 100_000), "without a list of predictions"),
    "nested 1,000 deep": (answer(b"[1,2," + b"[" * 1000 + b"]" * 1000 + b"]"), "nested too deep"),
    "no content": (answer(b"", status="204 No Content"), "(204)"),
    "a redirect": (
        answer(b"", "Location: http://127.0.0.1:1/", status="302 Found"),
        "is not followed",
    ),
    "a redirect with another method": (
        answer(b"", "Location: //", status="303 See Other"),
        "is not followed",
    ),
    "cut off": (CUT, "can't be reached"),
    "a cut gzip": (answer(bomb(1), "Content-Encoding: gzip"), "incomplete gzip"),
    "a gzip that is none": (answer(b"[1, 2, 3]", "Content-Encoding: gzip"), "invalid gzip"),
    "another encoding": (answer(b"[1, 2, 3]", "Content-Encoding: br"), "another encoding"),
    "packed twice": (answer(bomb(1), "Content-Encoding: gzip, gzip"), "another encoding"),
    "no HTTP": (b"\x00\xff\x1b[31m\r\n\r\n", "can't be reached"),
    "a status that is none": (b"HTTP/1.1 9999999999 OK\r\n\r\n", "can't be reached"),
    "a length that is none": (
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n[1,2,3]",
        "can't be reached",
    ),
    "endless headers": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000, "can't be reached"),
    "a hidden status that is none": (
        answer(b"", f"{MODEL_STATUS}: \xb2", status="424 F"),
        "(424)",
    ),
    "a hidden status of 5,000 digits": (
        answer(b"", f"{MODEL_STATUS}: {'4' * 5000}", status="424 F"),
        "(424)",
    ),
    "a hidden 200": (answer(b"[1, 2, 3]", f"{MODEL_STATUS}: 200", status="424 F"), "(424)"),
    "an error that is no text": (answer(b'{"error": {"a": 1}}', status="400 B"), "(400)"),
    "an error with odd parts": (
        answer(b'{"error": "No.", "code": [1], "location": {"a": 1}}', status="400 B"),
        "No. (400)",
    ),
    "a row of 5,000 digits": (
        answer(
            json.dumps({"error": "No.", "location": f"/input_data/data/{'9' * 5000}/0"}).encode(),
            status="422 U",
        ),
        "No. (422 at /input_data/data/999",
    ),
    "an error of 4 MiB": (
        answer(json.dumps({"error": "x" * 2**22}).encode(), status="400 B"),
        "xxx ... (400)",
    ),
    "an error in another encoding": (
        answer(b"??", "Content-Encoding: zstd", status="401 U"),
        "check the key",
    ),
    "escapes": (
        answer(
            json.dumps({"error": ESCAPES, "code": ESCAPES, "location": ESCAPES}).encode(),
            status="400 B",
        ),
        "]0;title [31m red second line 2J (400 ]0;title",
    ),
    "escapes with 200": (
        answer(json.dumps({"error": ESCAPES}).encode()),
        "]0;title [31m red second line 2J",
    ),
}


@pytest.mark.parametrize(("reply", "said"), ANSWERS.values(), ids=ANSWERS)
def test_an_invalid_answer_is_one_sentence(tmp_path: Path, reply: bytes, said: str):
    """An invalid answer prints no prediction, and the exit status is 1."""
    with hostile(lambda _: [reply]) as url:
        result = score(url, table(tmp_path, 3))
    assert said in refusal(result)
    assert result.stdout == ""


def test_the_error_says_how_many_predictions_are_printed(tmp_path: Path):
    """Predictions before the bad answer are printed, each for its row; none after it."""

    def reply(number: int) -> Pieces:
        yield answer(json.dumps({"predictions": [number] * (100 if number < 2 else 99)}).encode())

    with hostile(reply) as url:
        result = score(url, table(tmp_path, 450))
    assert refusal(result).endswith("The predictions of rows 1 to 200 are printed.\n")
    assert result.stdout == "0\n" * 100 + "1\n" * 100


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b"[[1], [2]]", 2),
        (b'{"data": [[1], [2]]}', 2),
        (b'{"input_data": [{"a": 1}, {"a": 2}, {"a": 3}]}', 3),
        (b'{"input_data": {"columns": ["a"], "data": [[1], [2]]}}', 2),
    ],
)
def test_the_rows_of_a_users_own_body_are_counted_if_known(tmp_path: Path, body: bytes, rows: int):
    """The predictions for a user's own body are counted as those for a table."""
    (tmp_path / "body.json").write_bytes(body)
    with hostile(lambda _: [answer(b'{"predictions": [1]}')]) as url:
        assert f"answered 1 predictions for {rows} rows" in refusal(
            score(url, tmp_path / "body.json")
        )


@pytest.mark.parametrize(
    "body", [b'{"data": [1, 2]}', b'{"inputs": [[1], [2]]}', b"no JSON", b'{"data": {"a": 1}}']
)
def test_a_body_in_an_unknown_form_is_left_to_the_server(tmp_path: Path, body: bytes):
    """Only the server knows the number of rows; no prediction at all is still an error."""
    (tmp_path / "body.json").write_bytes(body)
    with hostile(
        lambda number: [answer(b'{"predictions": [1]}' if number == 0 else b'{"predictions": []}')]
    ) as url:
        assert score(url, tmp_path / "body.json").stdout == "1\n"
        assert "answered 0 predictions" in refusal(score(url, tmp_path / "body.json"))


def test_a_predictions_own_escapes_stay_json(tmp_path: Path):
    """They are printed escaped: a terminal obeys none, and the text reads back unchanged."""
    labels = ["\x1b[31m", "\x9b2J\x7f\u202e", "Zürich \U000e0001"]
    with hostile(lambda _: [answer(json.dumps(labels).encode())]) as url:
        result = score(url, table(tmp_path, 3))
    assert [json.loads(line) for line in result.stdout.splitlines()] == labels
    assert result.stdout.replace("\n", "").isprintable()
    assert "Zürich" in result.stdout


@pytest.mark.parametrize("name", ["grün", "two\nlines", "", " green"])
def test_a_deployment_that_no_header_can_name_is_refused(tmp_path: Path, name: str):
    """The name is refused before anything is sent."""
    result = score("http://127.0.0.1:1/score", table(tmp_path, 3), "--deployment", name)
    assert (result.exit_code, "--deployment has characters" in result.output) == (2, True)


@pytest.fixture(autouse=True)
def no_traceback(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Nothing is printed past click on the real streams."""
    yield
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_csv_with_names_for_a_model_without_them_says_what_to_write(tmp_path: Path):
    """The advice gives the order of the fit: by position, another order gives wrong answers."""
    contract = Contract((Feature(None),) * 2, ("predict",))
    with pytest.raises(ClientError) as refused:
        validate(b'{"input_data": {"columns": ["a", "b"], "data": [[1, 2]]}}', contract, Limits())
    document = {
        "error": refused.value.message,
        "code": refused.value.code,
        "location": refused.value.location,
    }
    reply = answer(json.dumps(document).encode(), status="422 Unprocessable Entity")
    model = support.dump(LinearRegression().fit([[1.0, 2.0]], [3.0]), tmp_path)
    with hostile(lambda _: [reply]) as url:
        for options in ([], ["--model-dir", str(model)]):
            message = refusal(score(url, table(tmp_path, 3), *options))
            assert (
                "In the CSV, put the columns in the order in which the model was fitted, and "
                "name them 0, 1, 2, ..." in message
            )
            assert "name the model's folder" not in message
