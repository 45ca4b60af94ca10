from pathlib import Path

import pytest

from contract import Feature
from errors import StartupError
from mlflow_folder import MlflowModel

DATA = Path(__file__).parents[1] / "data"


def test_the_signature_of_a_frame_gives_names_and_types():
    """Read from a folder that MLflow itself wrote, without MLflow."""
    read = MlflowModel.read(DATA / "mlflow-skops")
    assert (read.model_file, read.sklearn_version) == ("model.skops", "1.9.1")
    assert read.features is not None
    assert [f.name for f in read.features] == ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
    assert {f.dtype for f in read.features} == {"float64"}


def test_the_signature_of_an_array_gives_their_number():
    """A tensor's columns have no names."""
    assert MlflowModel.read(DATA / "mlflow-tensor").features == (Feature(None),) * 10


def test_each_column_type_is_known(tmp_path: Path):
    """MLflow's types become ours; one that is not required may be missing."""
    (tmp_path / "MLmodel").write_text(
        "flavors: {sklearn: {pickled_model: m.pkl}}\n"
        "signature:\n"
        """  inputs: '[{"type": "long", "name": "a", "required": false}, {"type": "string", "name": "b"},"""
        """ {"type": "boolean", "name": "c"}, {"type": "datetime", "name": "d"}]'\n"""
    )
    features = MlflowModel.read(tmp_path).features
    assert features is not None
    assert [(f.dtype, f.missing) for f in features] == [
        ("int64", True),
        ("str", False),
        ("bool", False),
        ("any", False),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "flavors: {pytorch: {}}",
        "flavors: [",
        "flavors: {sklearn: {pickled_model: m.pkl}}\nsignature: {inputs: '{'}",
    ],
)
def test_a_folder_of_another_kind_says_what_to_do(tmp_path: Path, text: str):
    """One sentence that names the call to save it with."""
    (tmp_path / "MLmodel").write_text(text)
    with pytest.raises(StartupError, match=r"save it with mlflow\.sklearn\.save_model"):
        MlflowModel.read(tmp_path)
