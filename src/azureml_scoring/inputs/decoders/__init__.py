"""The forms of the data in a JSON document, each decoded into the same ``Table``.

A form is a module with two functions: ``fits`` tells it by the data alone, ``decode`` reads it. To
add one, write the module and put it into ``DECODERS``.
"""

from __future__ import annotations

from typing import Any, Protocol

from azureml_scoring.errors import WrongShape
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.decoders import columns, records, rows
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.table import Table


class Decoder(Protocol):
    """Reads one form of the data."""

    def fits(self, data: Any) -> bool:
        """Return True if the data has this form, or is meant to."""

    def decode(self, data: Any, pointer: str, contract: Contract, limits: Limits) -> Table:
        """Read and check the data. Raises ClientError. ``pointer``: to the data."""


DECODERS: tuple[Decoder, ...] = (rows, columns, records)
"""The first that fits decodes."""


def decode(data: Any, pointer: str, contract: Contract, limits: Limits) -> Table:
    """Read data of any form. Raises ClientError."""
    for decoder in DECODERS:
        if decoder.fits(data):
            return decoder.decode(data, pointer, contract, limits)
    raise WrongShape("The data must be a list of rows or records, or an object.", pointer)
