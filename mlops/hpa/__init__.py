"""Kubernetes' HorizontalPodAutoscaler, simulated: what a manifest would do with a load."""
