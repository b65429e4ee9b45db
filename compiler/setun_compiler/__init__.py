"""From a trained ONNX model to a setun program."""
