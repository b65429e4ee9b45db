"""Smooth functions that NumPy does not have, on arrays of floats; they keep the arrays' type."""

import math
from collections.abc import Callable

import numpy as np

from setun_compiler.frontend.graph import Array

_erf: Callable[[Array], Array] = np.vectorize(math.erf, otypes=[np.float64])


def erf(x: Array) -> Array:
    """The error function."""
    return _erf(x).astype(x.dtype)


def gelu(x: Array) -> Array:
    """x times the normal distribution's share below x (Hendrycks and Gimpel 2016)."""
    return np.asarray(x * (1 + erf(x / math.sqrt(2))) / 2, x.dtype)


def gelu_tanh(x: Array) -> Array:
    """The same paper's approximation of it."""
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return np.asarray(x * (1 + np.tanh(inner)) / 2, x.dtype)


def mish(x: Array) -> Array:
    """x * tanh(softplus(x)) (Misra 2019)."""
    return np.asarray(x * np.tanh(softplus(x)))


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x)."""
    return np.asarray(1 / (1 + np.exp(-x)))


def softplus(x: Array) -> Array:
    """log(1 + e^x)."""
    return np.logaddexp(0, x)


def softsign(x: Array) -> Array:
    """x / (1 + |x|)."""
    return np.asarray(x / (1 + np.abs(x)))
