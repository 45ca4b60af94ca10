"""A service whose model is a function."""

import datetime
from types import SimpleNamespace
from typing import Any

import orjson

from azureml_scoring.admission.admission import Admission
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.request import Request
from azureml_scoring.service import Service
from azureml_scoring.shared.cache_counts import CacheCounts
from azureml_scoring.shared.scoreboard import WorkerRow
from cache import ResponseCache

NOW = datetime.datetime(2025, 11, 9, 10, 0, 0, 400, tzinfo=datetime.UTC).timestamp()


class Source:
    def __init__(self, predict: Any) -> None:
        self._model = SimpleNamespace(
            quick=None,
            each=None,
            joint_rows=1,
            name="m",
            version="v1.2.3",
            contract=Contract((Feature("a"),), ("predict",)),
            answers={"predict": [1.5]},
            predict=predict,
            cacheable=True,
            proven=False,
            backend="sklearn",
        )

    @property
    def version(self) -> str:
        return "v1.2.3"

    @property
    def loaded(self) -> Any:
        return self._model

    def model(self) -> Any:
        return self._model


def service(
    predict: Any = lambda batch: batch.X[:, 0].tolist(),
    *,
    source: Any = None,
    cache: Any = None,
    row: WorkerRow | None = None,
    **options: Any,
) -> Service:
    row = row or WorkerRow()
    admission = Admission(lambda: row, slots=1, max_in_flight=2, objective=0.4, deadline=30)
    return Service(
        source or Source(predict),
        admission,
        cache or ResponseCache([], CacheCounts(lambda: row)),
        Limits(),
        deployment="production",
        now=lambda: NOW,
        **options,
    )


def ask(asked: Service, document: object = (("data", [[1.5], [2.5]]),)) -> tuple[int, Any]:
    answer = asked.score(Request("id-1", "t" * 32, lambda: orjson.dumps(dict(document))))
    return answer.status, orjson.loads(answer.body)
