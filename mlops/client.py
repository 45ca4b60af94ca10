"""The client by a name that an installed wheel has: there the service, and so
``azureml_scoring.client``, lies in ``mlops/serving``."""

from azureml_scoring.client import *  # noqa: F403
