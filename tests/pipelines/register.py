"""`az ml model create`, by the client that the CLI is made of."""

import os
import warnings
from argparse import ArgumentParser

warnings.simplefilter("ignore")

from azure.ai.ml import MLClient, load_model  # noqa: E402
from azure.identity import AzureCliCredential  # noqa: E402

parser = ArgumentParser(allow_abbrev=False)
parser.add_argument("words", nargs=3)
for option in ("--file", "--version", "--resource-group", "--workspace-name"):
    parser.add_argument(option, required=True)
given = parser.parse_args()
client = MLClient(
    AzureCliCredential(), os.environ["AZ_SUBSCRIPTION"], given.resource_group, given.workspace_name
)
model = load_model(given.file, params_override=[{"version": given.version}])
made = client.models.create_or_update(model)
print(f"{made.name} {made.version}")
