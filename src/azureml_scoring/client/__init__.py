"""A client of the scoring service and of managed endpoints. It needs httpx, and nothing of the
service; orjson makes it faster, and pandas is needed for DataFrames only."""

from azureml_scoring.client.async_client import AsyncClient
from azureml_scoring.client.client import Client
from azureml_scoring.client.errors import (
    AccessDenied,
    NoAnswer,
    RequestRefused,
    ScoreError,
    ServerBusy,
    ServerFailed,
    TooLarge,
    UnusableAnswer,
)

__all__ = [
    "AccessDenied",
    "AsyncClient",
    "Client",
    "NoAnswer",
    "RequestRefused",
    "ScoreError",
    "ServerBusy",
    "ServerFailed",
    "TooLarge",
    "UnusableAnswer",
]
