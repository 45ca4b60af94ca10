"""A file of two regions, for `mlops rollout --regions`."""

REGIONS = """
[front_door]
subscription = "s"
resource_group = "rg-global"
profile = "afd"
origin_group = "regions"
rollout_weight = 100

[[region]]
name = "westeurope"
weight = 900
subscription = "s"
resource_group = "rg-prod"
workspace_name = "mlw-prod"
log_workspace = "log"

[[region]]
name = "swedencentral"
weight = 900
subscription = "s"
resource_group = "rg-prod2"
workspace_name = "mlw-prod2"
log_workspace = "log2"
"""
