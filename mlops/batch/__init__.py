"""Runs a batch job on this machine, by the script and the rules of Azure ML's batch endpoints."""
