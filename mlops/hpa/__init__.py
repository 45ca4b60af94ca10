"""Kubernetes' HorizontalPodAutoscaler, computed here: what a manifest would do with a load, before a cluster does it."""
