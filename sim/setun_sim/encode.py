"""What :mod:`setun_compiler.host` does with samples, in compiled code; equal byte for byte."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from setun_compiler import host
from setun_compiler.network import Integers
from setun_compiler.program import Program
from setun_hw.config import Config
from setun_sim.input_kernels import pack_words


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
    return host.arrange(program, packed_words(program, integers), 8)


def packed_words(program: Program, integers: Integers) -> NDArray[np.uint8]:
    """Words (images, rows, words of a row, bytes) of the input maps that stored integers become."""
    port, config = program.input, program.config
    m, u = port.map, port.unfold
    low = host.port_range(port)[0]
    blocks, kind = -(-m.channels // config.lanes), _unit_type(config)
    units = -(-config.lanes // (np.dtype(kind).itemsize * 4))
    words = np.zeros((len(integers), m.rows, m.cols, blocks, m.digits, units), kind)
    table = np.ascontiguousarray(host.code_table(port, config.encoding).T).astype(kind)
    steps = (u.kernel, u.stride, u.dilation, (-u.padding[0], -u.padding[1])) if u else ((1, 1), (1, 1), (1, 1), (0, 0))
    maps = np.ascontiguousarray(integers - low)
    pack_words(maps, table, u.pad_value - low if u else 0, *steps, config.lanes, words)
    data = words.view(np.uint8).reshape(len(words), m.rows, m.cols * blocks * m.digits, units * words.itemsize)
    return data[..., : config.lanes // 4]


def _unit_type(config: Config) -> Any:
    """The unsigned type whose two-bit codes are a word, or a part of it."""
    kinds = (np.uint16, np.uint32)
    return next((kind for kind in kinds if config.lanes <= np.dtype(kind).itemsize * 4), np.uint64)
