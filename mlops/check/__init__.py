"""Checks the YAML of endpoints, deployments, environments and models offline, before Azure does it
minutes later."""
