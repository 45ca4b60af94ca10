from azureml_scoring.errors import BodyTimeout, Overloaded
from azureml_scoring.http.response import encode, refusal, response
from azureml_scoring.request import Answer


def test_a_response_is_written_as_http_has_it():
    """Status line, the server's own headers, those of the answer, and its body."""
    answer = Answer(503, b"{}", {"Retry-After": "1"})
    assert encode(*response(answer, [("x-é", "é")]), "date: today\r\n") == (
        b"HTTP/1.1 503 Service Unavailable\r\ndate: today\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2\r\nx-\xe9: \xe9\r\nRetry-After: 1\r\n\r\n{}"
    )


def test_a_refusal_names_the_error():
    """Message, code and status are in the body; when to retry is in a header."""
    status, _, body = refusal(BodyTimeout("Too slow.", ""))
    assert (status, body) == (408, b'{"error":"Too slow.","code":"body_timeout","status":408}')
    assert ("Retry-After", "1") in refusal(Overloaded("Full.")).headers
