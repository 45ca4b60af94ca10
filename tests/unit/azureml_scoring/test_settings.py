import re
from typing import get_args, get_type_hints

import pytest
from pydantic import BeforeValidator

from azureml_scoring.errors import StartupError
from azureml_scoring.settings import ATTRIBUTE_OF, Settings, load
from places import REPOSITORY


def test_defaults_work_without_any_variable():
    """An empty environment gives the guide's limits."""
    settings = load({})
    assert settings == Settings()
    assert (settings.scoring_max_bytes, settings.scoring_max_elements) == (10_000_000, 100_000)
    assert (settings.scoring_max_batch_size, settings.scoring_max_features) == (100, 1_000)


def test_variables_are_taken():
    """Each variable is read under its documented name."""
    settings = load(
        {"MODEL_NAME": "m", "SCORING_MAX_BYTES": "5", "SCORING_REQUIRE_MANIFEST": "true"}
    )
    assert (settings.model_name, settings.scoring_max_bytes, settings.scoring_require_manifest) == (
        "m",
        5,
        True,
    )


def test_an_empty_variable_is_unset():
    """A deployment YAML that leaves a value blank gets the default."""
    assert load({"SCORING_MAX_BYTES": ""}).scoring_max_bytes == 10_000_000


HINTS = get_type_hints(Settings, include_extras=True)
NUMBERS = {
    name: validator.func.__self__
    for name, hint in HINTS.items()
    for validator in get_args(hint)
    if isinstance(validator, BeforeValidator)
}


def test_every_number_is_a_quantity():
    """Each has a unit and bounds, as the options of commands have."""
    defaults = {name for name in HINTS if type(getattr(Settings(), name)) in (int, float)}
    assert defaults == NUMBERS.keys()
    assert all(
        quantity.parse(getattr(Settings(), name)) is not None for name, quantity in NUMBERS.items()
    )


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_that_is_none_stops_start_up(name: str):
    """NaN, infinity, digits of other scripts and numbers out of bounds are refused, in one sentence
    that names the bounds."""
    quantity = NUMBERS[name]
    none = ("nan", "inf", "-inf", "1e400", "-1", "1_0", "\u0665", "0x10", " ", "9" * 5000, "five")
    for value in (*none, str(quantity.most * 2), str(quantity.least - 1)):
        with pytest.raises(StartupError) as refused:
            load({name.upper(): value})
        assert str(refused.value) == (
            f"{name.upper()} is not usable: give {quantity}; "
            "see docs/settings.md for what it takes."
        )


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_a_value_that_makes_no_sense_stops_start_up(value: str):
    """The message names the variable, and says where to look."""
    with pytest.raises(
        StartupError, match=r"^SCORING_MAX_BYTES is not usable: .*docs/settings\.md"
    ):
        load({"SCORING_MAX_BYTES": value})


def test_a_misspelt_setting_stops_start_up_and_names_the_nearest():
    """No typo is ever silently ignored."""
    with pytest.raises(
        StartupError, match=r"SCORING_MAX_BYTE is not a setting; did you mean SCORING_MAX_BYTES\?"
    ):
        load({"SCORING_MAX_BYTE": "1"})


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("SCORING_QUEUE_TIMEOUT_MS", "set SCORING_LATENCY_OBJECTIVE_MS"),
        ("SCORING_LEAN_LANE", "SCORING_FAST_WORKER=false"),
        ("SCORING_MICRO_BATCH_MS", "SCORING_MICRO_BATCH_ROWS"),
    ],
)
def test_a_removed_setting_stops_start_up_and_names_what_replaced_it(name: str, advice: str):
    """One sentence says what to do with a setting of an earlier version."""
    with pytest.raises(StartupError, match=rf"^{name} was removed: .*{advice}") as refused:
        load({name: "1"})
    assert "did you mean" not in str(refused.value)


def test_the_servers_own_timeout_is_let_pass():
    """SCORING_TIMEOUT_MS belongs to azmlinfsrv."""
    load({"SCORING_TIMEOUT_MS": "1000"})


def test_settings_are_frozen():
    """Nothing changes them once they are parsed."""
    with pytest.raises(AttributeError):
        load({}).scoring_slots = 3


def test_the_documented_table_is_the_code():
    """docs/settings.md lists each setting with its default and description, and nothing else."""
    text = (REPOSITORY / "docs" / "settings.md").read_text()
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*?) \| (.*) \|$", text, re.MULTILINE)
    expected = []
    for name, field in ATTRIBUTE_OF.items():
        default = getattr(Settings(), field)
        shown = (
            ""
            if default is None
            else f"`{str(default).lower() if isinstance(default, bool) else default}`"
        )
        description = " ".join(Settings.__pydantic_fields__[field].description.split())
        expected.append((name, shown, description))
    assert rows == expected
