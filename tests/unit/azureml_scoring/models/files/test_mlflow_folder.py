import shutil
from pathlib import Path

import pytest

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models.files.mlflow_folder import MlflowModel
from azureml_scoring.models.loading import load
from azureml_scoring.settings import Settings
from mlops.package import package
from places import DATA


def test_the_signature_of_a_frame_gives_names_and_types():
    """Read from a folder that MLflow itself wrote, without MLflow."""
    read = MlflowModel.read(DATA / "mlflow-skops")
    assert (read.model_file, read.sklearn_version) == ("model.skops", "1.9.1")
    assert read.features is not None
    assert [f.name for f in read.features] == [
        "age",
        "sex",
        "bmi",
        "bp",
        "s1",
        "s2",
        "s3",
        "s4",
        "s5",
        "s6",
    ]
    assert {f.dtype for f in read.features} == {"float64"}


def test_the_signature_of_an_array_gives_their_number():
    """A tensor's columns have no names."""
    assert MlflowModel.read(DATA / "mlflow-tensor").features == (Feature(None),) * 10


def test_each_column_type_is_known(tmp_path: Path):
    """MLflow's types become ours; one that is not required may be missing."""
    (tmp_path / "MLmodel").write_text(
        "flavors: {sklearn: {pickled_model: m.pkl}}\n"
        "signature:\n"
        """  inputs: '[{"type": "long", "name": "a", "required": false},"""
        """ {"type": "string", "name": "b"},"""
        """ {"type": "boolean", "name": "c"}, {"type": "datetime", "name": "d"}]'\n"""
    )
    features = MlflowModel.read(tmp_path).features
    assert features is not None
    assert [(f.dtype, f.missing) for f in features] == [
        ("int64", True),
        ("str", False),
        ("bool", False),
        ("datetime", False),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "flavors: [",
        "flavors: 5",
        "flavors: {sklearn: {}}",
        "flavors: {sklearn: {pickled_model: 5}}",
        "flavors: " + "[" * 20_000,
        "flavors: 0x" + "f" * 6_000,
        'flavors: {sklearn: {pickled_model: m.pkl}}\nsignature: {inputs: \'[{"type": "tensor", '
        '"tensor-spec":'
        ' {"dtype": "float64", "shape": [-1, 1000000000000]}}]\'}',
        "flavors: {sklearn: {pickled_model: m.pkl}}\nsignature: {inputs: '{'}",
    ],
)
def test_a_folder_of_another_kind_says_what_to_do(tmp_path: Path, text: str):
    """One sentence that names the call to save it with."""
    (tmp_path / "MLmodel").write_text(text)
    with pytest.raises(StartupError, match=r"save it with mlflow\.sklearn\.save_model"):
        MlflowModel.read(tmp_path)


@pytest.mark.parametrize(
    ("flavours", "remedy"),
    [
        ("pytorch: {}", "flavour pytorch, .*save a fitted scikit-learn estimator"),
        ("python_function: {}", r"no python_function model .*mlflow\.pyfunc\.save_model\(\)"),
        ("lightgbm: {}", r"no lightgbm model .*with mlflow\.lightgbm\.save_model\(\)"),
    ],
)
def test_a_flavour_that_can_not_be_read_is_named(tmp_path: Path, flavours: str, remedy: str):
    """With the call to save it with."""
    (tmp_path / "MLmodel").write_text(f"flavors: {{{flavours}}}")
    with pytest.raises(StartupError, match=remedy):
        MlflowModel.read(tmp_path)


@pytest.mark.parametrize(
    "name", ["../m.pkl", "/etc/passwd", ".", "", "a/../../m.pkl", "out/m.pkl", "x\\0.pkl"]
)
def test_a_file_outside_of_the_folder_is_not_read(tmp_path: Path, name: str):
    """It makes no difference how the file is named."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "m.pkl").touch()
    (folder / "out").symlink_to(tmp_path)
    (folder / "MLmodel").write_text(f'flavors: {{sklearn: {{pickled_model: "{name}"}}}}')
    with pytest.raises(StartupError, match="names a file that does not lie in that folder"):
        MlflowModel.read(folder)


@pytest.mark.parametrize(
    ("spec", "features"),
    [
        ('"float64", "shape": [-1, 3]', (Feature(None),) * 3),
        ('"object", "shape": [-1, 2]', (Feature(None, "any"),) * 2),
        ('"bool", "shape": [-1, 1]', (Feature(None, "bool"),)),
        ('"float64", "shape": [-1, -1]', None),
        ('"str", "shape": [-1]', None),
    ],
)
def test_a_tensor_tells_as_much_as_it_does(tmp_path: Path, spec: str, features: object):
    """What it leaves open is read off the estimator."""
    (tmp_path / "MLmodel").write_text(
        "flavors: {sklearn: {pickled_model: m.pkl}}\n"
        f"""signature: {{inputs: '[{{"type": "tensor", "tensor-spec": {{"dtype": {spec}}}}}]'}}"""
    )
    assert MlflowModel.read(tmp_path).features == features


@pytest.mark.parametrize(
    ("example", "read"),
    [
        ('{"columns": ["a", "b"], "data": [[1, 2]]}', (["a", "b"], [[1, 2]])),
        ('{"inputs": [[1, 2]]}', (None, [[1, 2]])),
        ("[]", None),
        ("[" * 100_000, None),
        (None, None),
    ],
)
def test_an_input_example_is_read(tmp_path: Path, example: str | None, read: object):
    """A frame's or an array's; a broken one does no harm."""
    (tmp_path / "MLmodel").write_text(
        "flavors: {sklearn: {pickled_model: m.pkl}}\nsaved_input_example_info: {artifact_path: "
        "input_example.json}"
    )
    if example is not None:
        (tmp_path / "input_example.json").write_text(example)
    assert MlflowModel.read(tmp_path).example == read


def test_predict_fn_is_the_method_that_is_asked_by_default(tmp_path: Path):
    """It is the default, packaged or not, as in pyfunc; a method that is missing is named."""
    folder = tmp_path / "folder"
    shutil.copytree(DATA / "mlflow-skops", folder)
    document = (folder / "MLmodel").read_text()
    assert "predict_fn: predict\n" in document
    X, _ = support.diabetes()
    for predict_fn, default in [
        ("predict_proba", "predict_proba"),
        ("decision_function", "decision_function"),
    ]:
        (folder / "MLmodel").write_text(
            document.replace("predict_fn: predict", f"predict_fn: {predict_fn}")
        )
        package(folder, X, tmp_path / predict_fn)
        for path in (folder, tmp_path / predict_fn):
            methods = load(Settings(scoring_model_path=path)).contract.methods
            assert methods[0] == default
            assert sorted(methods) == [
                "decision_function",
                "predict",
                "predict_log_proba",
                "predict_proba",
            ]
    for predict_fn, message in [
        (
            "transform",
            r"is transform, which the model \(LogisticRegression\) does not have; choose one of "
            r"predict, ",
        ),
        ("kneighbors", "is kneighbors, which is not served; choose one of predict, "),
        ("[]", "is .*, which is not served"),
        ('""', "is empty, which is not served"),
    ]:
        (folder / "MLmodel").write_text(
            document.replace("predict_fn: predict", f"predict_fn: {predict_fn}")
        )
        with pytest.raises(StartupError, match=message):
            load(Settings(scoring_model_path=folder))
