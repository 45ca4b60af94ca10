"""--golden-rows: a file, or rows of the sample."""

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.models.files.manifest import Manifest
from mlops import sample as samples
from mlops.cli import main
from mlops.exit_status import ExitStatus


def run(folder: Path, *options: object) -> Result:
    """Run ``mlops package`` on the demo's model, with the target still in its sample."""
    X, y = support.diabetes()
    X.assign(target=y).to_csv(folder / "train.csv", index=False)
    file = support.dump(support.demo_estimator(), folder)
    words = [
        "package",
        file,
        "--sample",
        folder / "train.csv",
        "--drop",
        "target",
        "--out",
        folder / "out",
        *options,
    ]
    return CliRunner().invoke(main, [*map(str, words)])


def test_they_can_be_those_of_a_file(tmp_path: Path):
    """All of it, in its order; columns beside the model's may stand there."""
    X, _ = support.diabetes()
    X.iloc[[5, 3]].assign(target=0).to_csv(tmp_path / "golden.csv", index=False)
    assert run(tmp_path, "--golden-rows", tmp_path / "golden.csv").exit_code == 0
    assert Manifest.read(tmp_path / "out").golden_rows == samples.rows_of(X.iloc[[5, 3]])


def test_they_can_be_rows_of_the_sample(tmp_path: Path):
    """Public data may be kept; a note says that it is."""
    result = run(tmp_path, "--golden-rows", "sample")
    assert "note: 10 rows of the sample are kept as golden rows" in result.output
    assert Manifest.read(tmp_path / "out").golden_rows[0] == support.ROW


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (None, "is not a file; give synthetic, sample or a file of rows"),
        (
            "age\n1\n",
            "In the file of --golden-rows: The sample lacks columns that the model was fitted on",
        ),
        (
            ",".join(support.NAMES) + "\n" + "1,2,3,4,5,6,7,8,9,inf\n" * 2,
            "In the file of --golden-rows",
        ),
        (
            ",".join(support.NAMES) + "\n" + ",".join(["1e308"] * 10) + "\n",
            "does not answer 1 of the 1 rows of",
        ),
        (
            ",".join(support.NAMES) + "\n" + (",".join(["1"] * 10) + "\n") * 101,
            "holds 101 rows, and each start asks",
        ),
    ],
    ids=["no file", "other columns", "infinity", "not answered", "too many"],
)
def test_a_file_that_does_not_do_is_one_sentence(rows: str | None, message: str, tmp_path: Path):
    """The sentence says what to give."""
    if rows:
        (tmp_path / "golden.csv").write_text(rows)
    result = run(tmp_path, "--golden-rows", tmp_path / "golden.csv")
    assert (result.exit_code, "Traceback" in result.output) == (ExitStatus.UNUSABLE, False)
    assert message in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()


def test_no_row_of_the_file_is_left_out_in_silence(tmp_path: Path):
    """A row with a category that the fit did not have is an error, unlike in a sample."""
    estimator, frame = support.categories()
    rows = pd.DataFrame({"size": [1.0, 2.0], "colour": pd.Categorical(["red", "green"])})
    with pytest.raises(
        StartupError, match=r"--golden-rows are rows with .*categories that the fit did not have"
    ):
        support.packaged(estimator, frame, tmp_path, golden_rows=rows)
