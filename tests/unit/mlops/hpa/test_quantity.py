"""Quantities of Kubernetes."""

import pytest

from azureml_scoring.errors import StartupError
from mlops.hpa.quantity import parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", "0.5"),
        ("2", "2"),
        ("1.5", "1.5"),
        ("1Gi", 2**30),
        ("128Mi", 2**27),
        ("1M", 10**6),
        ("1e3", 1000),
    ],
)
def test_quantities(text: str, value: object):
    """They are read as Kubernetes reads them."""
    assert float(parse(text)) == float(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["1GB", "", "1 Gi", "Gi", "0x1", "1gi"])
def test_what_is_no_quantity_is_told(text: str):
    """1GB above all, which a schema lets pass."""
    with pytest.raises(StartupError, match="is not a valid quantity"):
        parse(text)
