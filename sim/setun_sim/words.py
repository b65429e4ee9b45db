"""How words of activations and weights lie in the fast simulator's arrays, and how long runs of them are outside."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from setun_hw.config import Config

#: bit planes in integers of :func:`word_type`
Planes = NDArray[Any]


def word_type(config: Config) -> Any:
    """The unsigned type, the narrowest that holds a plane of a word, else of 64 bits."""
    return next((kind for kind in (np.uint16, np.uint32) if config.lanes <= np.dtype(kind).itemsize * 8), np.uint64)


def units(config: Config) -> int:
    """Integers of :func:`word_type` in a plane of a word."""
    return -(-config.lanes // (int(np.dtype(word_type(config)).itemsize) * 8))


def beat_bytes(words: int, word_bits: int, config: Config) -> int:
    """Bytes of a run of words in external memory."""
    beat = config.axi_data_bits
    beats = words * -(-word_bits // beat) if word_bits >= beat else -(-words // (beat // word_bits))
    return beats * beat // 8
