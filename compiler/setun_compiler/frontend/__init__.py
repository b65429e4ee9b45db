"""The compiler's front end: an ONNX or QONNX file becomes a network of integers, independent of any hardware."""

from setun_compiler.frontend.demands import Precision
from setun_compiler.frontend.errors import ModelError
from setun_compiler.frontend.read import read

__all__ = ["ModelError", "Precision", "read"]
