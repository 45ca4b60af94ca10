"""What computes a compiled model: numpy or ONNX Runtime."""
