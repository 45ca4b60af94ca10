import errno
import json
import os
import resource
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.signals import data_sinks
from azureml_scoring.signals.data_collection import Collected

MODEL: Any = SimpleNamespace(
    contract=Contract((Feature("age"), Feature("bmi", missing=True)), ("predict",))
)
ONE = Collected(1.5, "id-1", Batch(np.array([[1.0, 2.0], [3.0, np.nan]]), "predict"), b"[0,1]")


def test_a_file_holds_a_request_in_each_line(tmp_path: Path):
    """Its form is that of Azure ML's collector; a missing value is null."""
    data_sinks.files(lambda: MODEL, tmp_path / "collected")([ONE, ONE])
    (file,) = (tmp_path / "collected").iterdir()
    line, again = file.read_text().splitlines()
    assert line == again
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:01.500Z",
        "correlationid": "id-1",
        "data": [{"age": 1.0, "bmi": 2.0}, {"age": 3.0, "bmi": None}],
        "predictions": [0, 1],
    }


def test_a_file_is_for_its_owner_alone(tmp_path: Path):
    """It holds what clients sent."""
    data_sinks.files(lambda: MODEL, tmp_path)([ONE])
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_files_do_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The last two are kept."""
    monkeypatch.setattr(data_sinks, "MAX_FILE_BYTES", 1000)
    sink = data_sinks.files(lambda: MODEL, tmp_path)
    for _ in range(50):
        sink([ONE])
    files = list(tmp_path.glob("*.jsonl"))
    assert len(files) == len(list(tmp_path.iterdir())) == 2
    assert all(file.stat().st_size < 1200 for file in files)


def test_a_full_disk_is_told_to_whoever_hands_over(tmp_path: Path):
    """A failed write raises an error."""
    sink = data_sinks.files(lambda: MODEL, tmp_path)
    sink([ONE])
    (file,) = tmp_path.iterdir()
    file.unlink()
    file.symlink_to("/dev/full")
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        sink([ONE])


def test_a_disk_that_is_full_within_a_line_leaves_whole_lines(tmp_path: Path):
    """Earlier lines can be read, and so can those written once there is room again."""
    sink = data_sinks.files(lambda: MODEL, tmp_path)
    sink([ONE])
    (file,) = tmp_path.iterdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 50, limits[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            sink([ONE])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    sink([ONE])
    assert [json.loads(line)["correlationid"] for line in file.read_text().splitlines()] == [
        "id-1",
        "id-1",
    ]


def test_containers_on_one_volume_have_files_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Their workers may have the same process ids."""
    for name in ("pod-1", "pod-2"):
        monkeypatch.setattr("socket.gethostname", lambda name=name: name)
        data_sinks.files(lambda: MODEL, tmp_path)([ONE])
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("environment", "installed", "found", "says"),
    [
        ({}, True, False, False),
        ({"AZUREML_MDC_ENABLED": "false"}, True, False, False),
        ({"AZUREML_MDC_ENABLED": "True"}, True, True, False),
        ({"AZUREML_MDC_CONFIG_PATH": "/mdc.json"}, True, True, False),
        ({"AZUREML_MDC_CONFIG_PATH": "/mdc.json"}, False, False, True),
    ],
)
def test_azure_s_collector_is_used_where_the_deployment_says_so(
    environment: dict[str, str],
    installed: bool,
    found: bool,
    says: bool,
    monkeypatch: pytest.MonkeyPatch,
):
    """Without the package it is off, and the log says what to install."""
    told: list[str] = []
    monkeypatch.setattr("azureml_scoring.log.event", lambda message, *_: told.append(message))
    monkeypatch.setattr(
        data_sinks, "COLLECTOR_PACKAGE", "azureml.ai.monitoring" if installed else "azureml_no.such"
    )
    assert data_sinks.azure_wanted(environment) is found
    assert bool(told) is says
