from collections.abc import Iterator

import pytest

from echo_server import Echo, echoing


@pytest.fixture(name="echo")
def echo_() -> Iterator[Echo]:
    with echoing() as echo:
        yield echo


@pytest.fixture(scope="module")
def shared_echo() -> Iterator[Echo]:
    with echoing() as echo:
        yield echo
