"""Validates documents against small contracts."""

import orjson
import pytest

from azureml_scoring import errors
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.limits import Limits
from validation import validate

NAMED = Contract((Feature("a"), Feature("b")), ("predict", "predict_proba"))
UNNAMED = Contract((Feature(None), Feature(None)), ("predict",))


def batch(document: object, contract: Contract = NAMED) -> Batch:
    return validate(orjson.dumps(document), contract, Limits())


def refusal(document: object, contract: Contract) -> errors.ClientError:
    with pytest.raises(errors.ClientError) as caught:
        batch(document, contract)
    return caught.value


def one(dtype: str, **options: object) -> Contract:
    return Contract((Feature("x", dtype, **options),), ("predict",))
