import pytest

from azureml_scoring.shared.scoreboard import WorkerRow


@pytest.fixture
def row() -> WorkerRow:
    return WorkerRow()
