"""The sizes of virtual machines that files and pages name are still there in years to come."""

import re
from datetime import date

import pytest
import yaml

from deploy.checkout import REPOSITORY
from mlops.deployment import MANAGED_WORKERS

RETIREMENTS = {
    **dict.fromkeys(("D", "Ds", "Dv2", "Dsv2", "Ls"), date(2028, 5, 1)),
    **dict.fromkeys(
        ("Av2", "Amv2", "B", "Bs", "Bms", "F", "Fs", "Fsv2", "G", "Gs", "Lsv2"), date(2028, 11, 15)
    ),
    "Dasv4": None,
    "Ddsv5": None,
}
"""When Azure ends a series; None: not announced on 2026-11-30."""

MANAGED = {"Dasv4", "Dav4", "Dsv2", "Esv3", "FXmds", "Fsv2", "Lasv3", "Lsv2", "Lsv3"}
"""Series without a GPU that a managed endpoint takes, by Azure's list of 2025-10-18."""

SIZE = re.compile(
    r"Standard_(?P<family>[A-Z]+?)(?P<small>S?)(?P<cpus>\d+)(?P<suffix>[a-z]*)_?(?P<version>v\d)?\b"
)
PLACES = ("README.md", "docs/**/*.md", "endpoints/**/*.yml", "infrastructure/*", "src/**/*.py")
FILES = [path for place in PLACES for path in sorted(REPOSITORY.glob(place)) if path.is_file()]
NAMED = {
    found[0]: found for path in FILES for found in SIZE.finditer(path.read_text(errors="ignore"))
}


def series(size: re.Match[str]) -> str:
    return f"{size['family']}{size['small'].lower()}{size['suffix']}{size['version'] or ''}"


@pytest.mark.parametrize("name", sorted(NAMED))
def test_a_size_that_is_named_is_not_retired(name: str):
    """Azure has announced no end of its series."""
    named = series(NAMED[name])
    assert named in RETIREMENTS, f"Look up when Azure retires {named}, and add it here."
    assert RETIREMENTS[named] is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Standard_F4s_v2", "Fsv2"),
        ("Standard_DS3_v2", "Dsv2"),
        ("Standard_D4as_v4", "Dasv4"),
        ("Standard_B2ms", "Bms"),
        ("Standard_FX4mds", "FXmds"),
    ],
)
def test_the_series_of_a_size_is_read_from_its_name(name: str, expected: str):
    """The letters, in the order in which Azure writes a series, and its version."""
    found = SIZE.fullmatch(name)
    assert found is not None
    assert series(found) == expected


@pytest.mark.parametrize("deployment", ["blue", "green"])
def test_a_worker_has_a_processor(deployment: str):
    """A managed instance has as many as workers, and is of a size that managed endpoints take."""
    text = (REPOSITORY / "endpoints" / f"{deployment}-deployment.yml").read_text()
    given = yaml.safe_load(text)
    size = NAMED[given["instance_type"]]
    assert int(size["cpus"]) == int(given["environment_variables"]["WORKER_COUNT"])
    assert int(size["cpus"]) == MANAGED_WORKERS
    assert series(size) in MANAGED
