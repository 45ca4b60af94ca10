"""Checks the YAML of endpoints, deployments, environments and models offline, minutes before Azure
would report the same mistakes."""
