"""What :mod:`setun_compiler.host` does with samples, in compiled code; equal byte for byte."""

from math import gcd
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from setun_compiler import host
from setun_compiler.network import Integers
from setun_compiler.program import Program
from setun_sim.input_kernels import pack_words
from setun_sim.remember import remembered

_UNITS = {8: np.uint8, 16: np.uint16, 32: np.uint32, 64: np.uint64}


def encode(program: Program, samples: ArrayLike, first: int = 0) -> NDArray[np.uint8]:
    """Input regions (runs, input_bytes) of samples, the first of which errors call image ``first``.

    Raises
    ------
    InputError
        As :func:`setun_compiler.host.encode`.
    """
    integers = host.quantise(program.input, samples, first)
    if program.config.lanes % 4:  # words are no whole bytes
        return host.encode_integers(program, integers)
    words = packed_words(program, integers)
    return host.arrange(program, words, words.itemsize * 8)


def packed_words(program: Program, integers: Integers) -> NDArray[Any]:
    """Words (images, rows, words of a row, units) of the input maps that stored integers become.

    Units are the largest unsigned numbers that fill words and beats without a rest.
    """
    port, config = program.input, program.config
    m, u = port.map, port.unfold
    low = host.port_range(port)[0]
    blocks, kind = -(-m.channels // config.lanes), _UNITS[gcd(config.word_bits, config.axi_data_bits, 64)]
    units = config.word_bits // (8 * np.dtype(kind).itemsize)
    words = np.zeros((len(integers), m.rows, m.cols, blocks, m.digits, units), kind)
    table = _table(program).astype(kind)
    steps = (u.kernel, u.stride, u.dilation, (-u.padding[0], -u.padding[1])) if u else ((1, 1), (1, 1), (1, 1), (0, 0))
    maps = np.ascontiguousarray(integers - low)
    pack_words(maps, table, u.pad_value - low if u else 0, *steps, config.lanes, words)
    return words.reshape(len(words), m.rows, m.cols * blocks * m.digits, units)


@remembered
def _table(program: Program) -> NDArray[np.uint8]:
    """Codes (values, digits) of every stored integer."""
    return np.ascontiguousarray(host.code_table(program.input, program.config.encoding).T)
