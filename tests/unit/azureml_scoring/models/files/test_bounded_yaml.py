from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from azureml_scoring.models.files import bounded_yaml
from azureml_scoring.models.files.bounded_yaml import MAX_CHARACTERS, MAX_DEPTH, MAX_VALUES, Loader
from places import REPOSITORY

FILES = [
    path
    for folder in ("endpoints", "environment", "kubernetes", "tests/data", ".github")
    for path in sorted((REPOSITORY / folder).rglob("*.y*ml"))
]


def bomb(lines: int) -> str:
    """Return YAML in which each line names the one before it nine times."""
    names = [f"a{number}" for number in range(lines)]
    below = [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in pairwise(names)
    ]
    return "\n".join([f"{names[0]}: &{names[0]} [x]", *below])


REFUSED = {
    "aliases of aliases": (bomb(10), "more than 100,000 values"),
    "an alias of itself": ("a: &a [1, *a]", "inside of what it names"),
    "an alias of itself as a key": ("&a {*a : 1}", "inside of what it names"),
    "merged aliases": (
        "a: &a {x: 1}\n" + "".join(f"b{n}: &b{n} {{<<: [{'*a, ' * 99}*a]}}\n" for n in range(999)),
        "val",
    ),
    "lists in lists": ("[" * 100_000, "more than 100 deep"),
    "mappings in mappings": ("{a: " * 100_000, "more than 100 deep"),
    "lines in lines": ("".join(" " * depth + "a:\n" for depth in range(200)), "more than 100 deep"),
    "lists in lines": ("- " * 100_000, "more than 100 deep"),
    "a long number": ("a: " + "9" * 5000, "a number has more than"),
    "a long hexadecimal number": ("a: 0x" + "f" * 6000, "a number has more than"),
    "a number in sixties": ("a: 1" + ":59" * 100_000, "a number has more than"),
    "a fraction": ("a: 0." + "1" * 5000, "a number has more than"),
    "a long text": ("a: " + "x" * MAX_CHARACTERS, "is longer than"),
    "many values": ("[" + "1, " * MAX_VALUES + "1]", "more than 100,000 values"),
    "an object of Python": (
        "a: !!python/object/apply:os.system [false]",
        "could not determine a constructor",
    ),
    "no number": ("a: !!int ''", "not of the kind of its tag"),
    "no time": ("a: !!timestamp x", "not of the kind of its tag"),
    "no day": ("a: 2026-02-31", "not of the kind of its tag"),
    "no truth": ("a: !!bool x", "not of the kind of its tag"),
    "a list for a key": ("? [1]\n: 2", "unhashable key"),
    "a zero sign": ("a: \0", ""),
}


SLOW = {"many values"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(*refused, id=name, marks=[pytest.mark.slow] * (name in SLOW))
        for name, refused in REFUSED.items()
    ],
)
def test_what_no_deployment_holds_is_refused_at_once(text: str, why: str):
    """A YAMLError says the reason before memory or time is spent."""
    with pytest.raises(yaml.YAMLError) as caught:
        bounded_yaml.load(text)
    assert why in str(caught.value)


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(REPOSITORY)) for path in FILES])
def test_real_files_are_far_from_the_bounds(path: Path):
    """They are read as YAML's own loader reads them, and hold a tenth of what is allowed."""
    text = path.read_text()
    assert bounded_yaml.load_all(text) == list(yaml.safe_load_all(text))
    loader = Loader(text)
    while loader.check_node():
        loader.get_node()
    assert max(10 * len(text), 20 * loader._values) < 2 * MAX_CHARACTERS
    assert loader._values < MAX_VALUES / 10


def test_aliases_are_read_as_ever():
    """They may be merged into mappings, and several documents may have their own anchors."""
    text = "a: &a {x: 1}\nb: {<<: *a, y: *a}\n---\nc: &a [1]\nd: *a\n"
    assert bounded_yaml.load_all(text) == list(yaml.safe_load_all(text))


def test_as_deep_as_allowed_is_read():
    """The bound is where it is said to be."""
    assert bounded_yaml.load("[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)) is not None
    with pytest.raises(yaml.YAMLError):
        bounded_yaml.load("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


PARTS = st.sampled_from(
    [*"abc[]{}&*:,-?!'\"|>#%@0x19.~\n\t ", "&a ", "*a", "<<: ", "!!int ", "!!set ", "!!omap ", ": "]
)


@given(st.lists(PARTS, max_size=40).map("".join) | st.text(max_size=40))
def test_any_text_is_read_as_ever_or_refused(text: str):
    """Nothing but a YAMLError escapes."""
    try:
        found = bounded_yaml.load(text)
    except yaml.YAMLError:
        return
    assert repr(found) == repr(yaml.safe_load(text))
