"""`mlops check` on any value in any place of endpoints/."""

import re
from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy.checkout import BLUE, ENDPOINT, FILES, GONE, REPOSITORY, Checkout, check

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.text(max_size=8)
    | st.sampled_from(["file:x", "azureml:a"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)


def keys(data: object, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(data, dict):
        for name, inner in data.items():
            yield (*at, name)
            yield from keys(inner, (*at, name))


PLACES = [
    (file, key)
    for file in FILES
    for key in keys(yaml.safe_load((REPOSITORY / "endpoints" / file).read_text()))
]


@given(st.sampled_from(PLACES), JSON | st.just(GONE))
def test_nothing_in_a_file_makes_a_traceback(
    shared_checkout: Checkout, place: tuple[str, tuple[str, ...]], value: object
):
    """Any value in any place gives a list of sentences."""
    file, key = place
    path = shared_checkout.change(file, *key, value=value)
    for problem in check(path):
        assert re.fullmatch(rf"{re.escape(str(problem.path))}:[1-9]\d*: .+; .+\.", str(problem)), (
            str(problem)
        )
    shared_checkout.rewrite(file, lambda _: None)


@given(st.dictionaries(st.sampled_from(["blue", "green", "red"]), st.integers(0, 100), max_size=3))
def test_traffic_is_all_or_none(shared_checkout: Checkout, shares: dict[str, int]):
    """Any split that adds up to 100 or to 0 passes, and no other."""
    path = shared_checkout.change(ENDPOINT, "traffic", value=shares)
    assert (check(path) == []) == (sum(shares.values()) in (0, 100))


@given(st.integers(1, 8), st.integers(1, 100), st.integers(2, 128))
def test_concurrency_is_what_an_instance_takes_in(
    shared_checkout: Checkout, workers: int, in_flight: int, threads: int
):
    """The number in the message is right."""

    def numbers(data: dict[str, Any]) -> None:
        data["environment_variables"] |= {
            "WORKER_COUNT": str(workers),
            "SCORING_MAX_IN_FLIGHT": str(in_flight),
            "GUNICORN_CMD_ARGS": f"--threads {threads} --graceful-timeout 60",
        }
        data["request_settings"]["max_concurrent_requests_per_instance"] = told

    told = 10**6
    (problem,) = check(shared_checkout.rewrite(BLUE, numbers))
    told = int(re.findall(r"\d+", problem.instead)[0])
    assert check(shared_checkout.rewrite(BLUE, numbers)) == []
    assert told == workers * max(1, min(in_flight, threads - 4))
