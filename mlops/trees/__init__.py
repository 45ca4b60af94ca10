"""Reads the trees of boosters exactly as they compare and add, and writes them as ONNX."""
