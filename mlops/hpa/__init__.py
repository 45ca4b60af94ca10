"""Kubernetes' HorizontalPodAutoscaler, computed here: what a manifest does with a load, before a
cluster does."""
