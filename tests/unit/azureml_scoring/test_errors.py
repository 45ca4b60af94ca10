import inspect

from azureml_scoring import errors
from azureml_scoring.errors import ClientError, ScoringError, ServiceError


def kinds() -> list[type[ScoringError]]:
    classes = [
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, ScoringError)
    ]
    return [kind for kind in classes if kind not in (ScoringError, ClientError, ServiceError)]


def test_each_error_has_a_code_of_its_own():
    """A client can tell all errors apart by ``code`` alone."""
    codes = [kind.code for kind in kinds()]
    assert len(codes) == len(set(codes)) > 20


def test_whose_fault_it_is_shows_in_the_status():
    """4xx is the client's fault, 5xx is ours."""
    for kind in kinds():
        assert (kind.status < 500) == issubclass(kind, ClientError)


def test_503_always_says_when_to_retry():
    """429 and 503 come with Retry-After."""
    for kind in kinds():
        assert (kind.status in (429, 503)) == ("Retry-After" in kind("").headers)


def test_the_tree_drawn_at_the_top_names_each_error():
    """The overview at the top of errors.py is complete."""
    drawn = errors.__doc__ or ""
    for kind in kinds():
        line = next(
            line for line in drawn.splitlines() if kind.__name__ in line.replace(",", " ").split()
        )
        assert str(int(kind.status)) in line or kind.status == 422
