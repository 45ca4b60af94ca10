import contextlib
import dataclasses
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models import golden_check
from azureml_scoring.models.engines.onnx_model import OnnxModel
from azureml_scoring.models.files.manifest import Manifest, running_versions, version_skew
from azureml_scoring.models.loading import load
from azureml_scoring.settings import Settings

MADE = Manifest(
    model_name="m",
    model_version="1",
    model_file="m.pkl",
    files={"m.pkl": "0" * 64},
    versions=running_versions(),
    contract=Contract((Feature("a"),), ("predict",)),
    golden_rows=[[1.5], [None]],
    golden_answers={"predict": [0, 1]},
    requirements={"lightgbm": "4.6.0", "my.own_package": "1.0.0rc1+cpu"},
)


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path):
    """Nothing is lost on the way to the service."""
    MADE.write(tmp_path)
    assert Manifest.read(tmp_path) == MADE


def test_what_a_model_does_not_use_is_not_written(tmp_path: Path):
    """A service that does not know a field yet still serves a model that has no need of it."""
    unused = {
        *("cacheable", "onnx", "baselines", "classes", "origin"),
        *("answer_baselines", "most_alike_rows"),
    }
    assert unused.isdisjoint(json.loads(MADE.write(tmp_path).read_text()))
    onnx = OnnxModel(
        "m.onnx", "float64", {"predict": "y"}, None, flat=True, missing=False, parity={}
    )
    path = dataclasses.replace(MADE, onnx=onnx).write(tmp_path)
    assert ONNX_DEFAULTS.keys().isdisjoint(json.loads(path.read_text())["onnx"])


@pytest.mark.parametrize("place", [(), ("contract",), ("contract", "features", 0)])
def test_a_field_of_a_newer_version_is_not_called_damage(tmp_path: Path, place: tuple[Any, ...]):
    """The sentence says that the service is too old."""
    path = MADE.write(tmp_path)
    newer = replaced(json.loads(path.read_text()), place, lambda part: part | {"more": 1})
    path.write_text(json.dumps(newer))
    name = ".".join(map(str, (*place, "more")))
    with pytest.raises(StartupError, match=f"newer version, with {name}, .*; update the service"):
        Manifest.read(tmp_path)


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"schema": 1}', "null", "\\xff", "[" * 100_000, "5", '"a"', "NaN"]
)
def test_a_damaged_manifest_says_what_to_do(tmp_path: Path, damage: str):
    """One sentence, with the file and the remedy."""
    (tmp_path / "manifest.json").write_text(damage)
    with pytest.raises(StartupError, match=r"manifest\.json is damaged .*package the model again"):
        Manifest.read(tmp_path)


@pytest.mark.parametrize(
    ("package", "number"),
    [("--index-url=https://example.com", "1"), ("a b", "1"), ("a;ls", "1"), ("a", "1 --pre")],
)
def test_a_requirement_is_a_name_and_a_version(tmp_path: Path, package: str, number: str):
    """They go into a command that people paste."""
    path = MADE.write(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"requirements": {package: number}}))
    with pytest.raises(StartupError, match=r"manifest\.json is damaged \(at requirements\."):
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
    assert version_skew(now | {"numpy": "1.0.0"}) == {
        "numpy": f"numpy: saved with 1.0.0, running {now['numpy']}"
    }
    assert version_skew({}) == {}


def values_at(document: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """The way to each value of a document."""
    yield path
    parts = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    for key, part in parts:
        yield from values_at(part, (*path, key))


def replaced(document: Any, path: tuple[object, ...], change: Callable[[Any], Any]) -> Any:
    """A copy in which one value is changed, or left out where ``change`` raises KeyError."""
    if not path:
        return change(document)
    first, *rest = path
    copy = dict(document) if isinstance(document, dict) else list(document)
    try:
        copy[first] = replaced(document[first], tuple(rest), change)
    except KeyError:
        del copy[first]
    return copy


def deep(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def left_out(_: Any) -> Any:
    raise KeyError


JUNK: list[Any] = [
    None, True, False, 0, -1, 5, 2**63, 2**70, 0.5, 1e308, -1e308, "", "a", "fit", "__reduce__",
    "../model.joblib", "/etc/passwd", ".", "a\0b", "x" * 5000, "é\u2028", [], {}, [[]], [None],
    {"": {}}, {"a": 1}, deep(90), deep(400), "O", "object", "datetime64[ns]", "float64",
    "category", "frame", "list", "predict_proba", "9" * 64,
]  # fmt: skip
CHANGES: list[Callable[[Any], Any]] = [
    left_out,
    str,
    lambda value: [value],
    lambda value: {"a": value},
    lambda value: value[:-1] if isinstance(value, list | str) else value,
    lambda value: value * 2 if isinstance(value, list | str | int) else value,
    lambda value: [*value, None] if isinstance(value, list) else value,
    lambda value: value | {"more": 1} if isinstance(value, dict) else value,
    lambda value: value[::-1] if isinstance(value, list | str) else value,
    *[lambda _, junk=junk: junk for junk in JUNK],
]


@pytest.fixture(scope="module", params=["demo", "mixed"])
def artifact(
    request: pytest.FixtureRequest, demo_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("mutated")
    if request.param == "demo":
        return Path(shutil.copytree(demo_model, folder / "artifact"))
    estimator, frame = support.mixed()
    return support.packaged(estimator, pd.concat([frame] * 4, ignore_index=True), folder)


@pytest.mark.slow
def test_any_damage_to_a_manifest_is_one_sentence_or_changes_nothing(artifact: Path):
    """A value of it is left out, wrapped, doubled or replaced: what is read is what stands there,
    and a model that starts answers a request. What is not is a StartupError."""
    path = artifact / "manifest.json"
    whole = path.read_text()
    draw = random.Random(7)
    ways = [(place, change) for place in values_at(json.loads(whole)) for change in CHANGES]
    started = 0
    for place, change in draw.sample(ways, 250):
        path.write_text(json.dumps(replaced(json.loads(whole), place, change)))
        with told_in_a_sentence():
            assert is_read_as_it_stands(artifact)
            if draw.random() < 0.2:
                loaded = load(Settings(scoring_model_path=artifact))
                assert (
                    len(
                        loaded.predict(
                            golden_check.batch_of(list(loaded.example)[:1], loaded.contract)
                        )
                    )
                    == 1
                )
                started += 1
    path.write_text(whole)
    assert started


@contextlib.contextmanager
def told_in_a_sentence() -> Iterator[None]:
    told = ""
    try:
        yield
    except StartupError as error:
        told = str(error)
    assert "\n" not in told


DEFAULTS = {
    "onnx": None,
    "baselines": [],
    "answer_baselines": [],
    "most_alike_rows": 0,
    "cacheable": True,
    "requirements": {},
    "classes": [],
    "origin": None,
}
ONNX_DEFAULTS = {"numpy": False, "largest": None, "tables": None, "booster": False, "race": None}
"""What a manifest of an earlier version lacks."""


def is_read_as_it_stands(artifact: Path) -> bool:
    """Check that the manifest is read unchanged, except for parts that may be left out."""
    written = Manifest.read(artifact).write(artifact.parent)
    stands = json.loads((artifact / "manifest.json").read_text())
    as_read: dict[str, Any] = json.loads(written.read_text())
    for document in (as_read, stands):
        if document.get("onnx"):
            document["onnx"] = ONNX_DEFAULTS | document["onnx"]
            if document["onnx"]["race"]:
                document["onnx"]["race"] = {"large_from": 1} | document["onnx"]["race"]
    return DEFAULTS | as_read == DEFAULTS | stands


@pytest.mark.parametrize("key", ["model_file", "onnx"])
@pytest.mark.parametrize(
    "name", ["../secret.joblib", "{absolute}", "link.joblib", "folder/../../secret.joblib"]
)
def test_files_outside_of_the_folder_are_not_read(
    demo_model: Path, tmp_path: Path, key: str, name: str
):
    """This holds for links too, and if the manifest has the right digest."""
    folder = Path(shutil.copytree(demo_model, tmp_path / "artifact"))
    kind = "model.joblib" if key == "model_file" else "model.onnx"
    secret = shutil.copy(folder / kind, tmp_path / "secret.joblib")
    (folder / "link.joblib").symlink_to(secret)
    document = json.loads((folder / "manifest.json").read_text())
    name = name.format(absolute=secret)
    document["files"][name] = document["files"][kind]
    document |= (
        {"model_file": name} if key == "model_file" else {"onnx": document["onnx"] | {"file": name}}
    )
    (folder / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(StartupError, match="names a file that does not lie in that folder"):
        load(Settings(scoring_model_path=folder))


def test_methods_are_those_that_may_be_asked(demo_model: Path, tmp_path: Path):
    """A manifest opens no other."""
    folder = Path(shutil.copytree(demo_model, tmp_path / "artifact"))
    document = json.loads((folder / "manifest.json").read_text())
    for method in ("fit", "__reduce__", "predict\n", "get_params"):
        contract = document["contract"] | {"methods": ["predict", method]}
        (folder / "manifest.json").write_text(json.dumps(document | {"contract": contract}))
        with pytest.raises(
            StartupError, match=r"manifest\.json is damaged \(at contract\.methods\.1: "
        ):
            Manifest.read(folder)


def test_an_older_manifest_leaves_no_row_uncounted():
    """It does not say how often the sample's rows recur, so a row that comes often may be right."""
    assert dataclasses.replace(MADE, most_alike_rows=0).most_row_share == 1.0
