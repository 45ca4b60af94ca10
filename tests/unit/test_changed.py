"""Which tests `make quick` runs."""

from pathlib import Path

import pytest

from changed import folders


@pytest.mark.parametrize(
    ("changed", "tests"),
    [
        (["src/azureml_scoring/http/asgi.py"], ["tests/unit/azureml_scoring/http"]),
        (["mlops/hpa/pod.py", "docs/load.md"], ["tests/unit/mlops/hpa"]),
        (["mlops/hpa/pod.py", "mlops/sample.py"], ["tests/unit/mlops"]),
        (["mlops/check/new/file.py"], ["tests/unit/mlops"]),
        (["tests/unit/azureml_scoring/http/test_asgi.py"], ["tests/unit/azureml_scoring/http"]),
        (["src/cache.py"], ["tests/unit"]),
        (["tests/support.py", "mlops/hpa/pod.py"], ["tests/unit"]),
        (["README.md"], ["tests/unit"]),
        ([], ["tests/unit"]),
    ],
)
def test_tests_of_the_rooms_that_changed_are_run(
    tmp_path: Path, changed: list[str], tests: list[str]
):
    """The mirrored folder, the closest one if there is none, or everything."""
    for folder in ("azureml_scoring/http", "mlops/hpa"):
        (tmp_path / "tests" / "unit" / folder).mkdir(parents=True)
    assert folders(changed, tmp_path) == tests
