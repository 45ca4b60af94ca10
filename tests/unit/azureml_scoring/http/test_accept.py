import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_scoring.errors import NotAcceptable
from azureml_scoring.http import accept
from azureml_scoring.http.accept import negotiated
from azureml_scoring.inputs.media_types import ARROW, CSV, JSON, NPY, PARQUET
from azureml_scoring.outputs.encoders import ENCODERS

CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"
JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"


@pytest.mark.parametrize(
    ("header", "media_type"),
    [
        (CSV, CSV),
        (NPY, NPY),
        (ARROW, ARROW),
        (PARQUET, PARQUET),
        ("Text/CSV; charset=utf-8; header=present", CSV),
        ("text/*", CSV),
        ("text/csv, */*", CSV),
        ("text/csv;q=0.5, application/x-npy", NPY),
        ("text/csv;q=0.5, application/x-npy;q=0", CSV),
        ("application/json;q=0, */*;q=0.1", CSV),
        ("text/csv, application/json", JSON),
        ("application/json, text/plain, */*", JSON),
        ("application/*", JSON),
        ("text/csv;q=0, */*", JSON),
        (CHROMIUM, JSON),
        (JAVA, JSON),
        ("", JSON),
        ("csv", JSON),
        (",;=/", JSON),
        ("text/csv;q=high", JSON),
    ],
)
def test_the_form_that_the_client_likes_best_is_chosen(header: str, media_type: str):
    """By weight, then by how closely it is named. Else it is JSON."""
    assert negotiated(header) == media_type


@pytest.mark.parametrize(
    "header", ["image/png", "text/html, text/plain", "text/csv;q=0", "*/*;q=0"]
)
def test_a_client_that_takes_nothing_of_ours_learns_what_there_is(header: str):
    """The error names each form, and nothing of the header."""
    with pytest.raises(NotAcceptable) as caught:
        negotiated(header)
    assert all(media_type in caught.value.message for media_type in [JSON, *ENCODERS])
    assert "pyarrow" not in caught.value.message


def test_without_pyarrow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    """A second choice of the client's is taken first."""
    monkeypatch.setattr(accept, "offered", lambda: (JSON, CSV, NPY))
    assert negotiated.__wrapped__(f"{ARROW}, {CSV};q=0.5") == CSV
    with pytest.raises(NotAcceptable, match="add pyarrow to the environment"):
        negotiated.__wrapped__(ARROW)


@given(st.text() | st.text("a/*,;q=.01 \t"))
def test_any_header_gets_a_form_or_a_refusal(header: str):
    """None of them is a failure of ours."""
    with contextlib.suppress(NotAcceptable):
        assert negotiated(header) in [JSON, *ENCODERS]
