import json
from pathlib import Path

import pytest

from contract import Contract, Feature
from errors import StartupError
from manifest import Manifest, running_versions, version_skew

MADE = Manifest(
    model_name="m",
    model_version="1",
    model_file="m.pkl",
    files={"m.pkl": "0" * 64},
    versions=running_versions(),
    contract=Contract((Feature("a"),), ("predict",)),
    golden_rows=[[1.5], [None]],
    golden_answers={"predict": [0, 1]},
)


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path):
    """Nothing is lost on the way to the service."""
    MADE.write(tmp_path)
    assert Manifest.read(tmp_path) == MADE


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"schema": 1}', "null", "\\xff"])
def test_a_damaged_manifest_says_what_to_do(tmp_path: Path, damage: str):
    """One sentence, with the file and the remedy."""
    (tmp_path / "manifest.json").write_text(damage)
    with pytest.raises(StartupError, match=r"manifest\.json is damaged .*package the model again"):
        Manifest.read(tmp_path)


def test_another_schema_is_refused(tmp_path: Path):
    """A manifest of a later version is not half understood."""
    path = MADE.write(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 2}))
    with pytest.raises(StartupError, match="another schema"):
        Manifest.read(tmp_path)


def test_only_what_was_packaged_is_let_pass():
    """The same name and the same bytes."""
    MADE.verify("m.pkl", "0" * 64)
    with pytest.raises(StartupError, match="its sha256 differs"):
        MADE.verify("m.pkl", "1" * 64)
    with pytest.raises(StartupError, match="not in the manifest"):
        MADE.verify("other.pkl", "0" * 64)


def test_version_skew_names_both_versions():
    """A line for each package that differs; a patch release of Python does not count."""
    now = running_versions()
    python = now["python"].rpartition(".")[0] + ".99"
    assert version_skew(now | {"python": python}) == {}
    assert version_skew(now | {"numpy": "1.0.0"}) == {"numpy": f"numpy: saved with 1.0.0, running {now['numpy']}"}
    assert version_skew({}) == {}
