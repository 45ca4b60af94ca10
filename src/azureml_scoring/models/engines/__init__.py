"""Engines that compute a compiled model: numpy and ONNX Runtime."""
