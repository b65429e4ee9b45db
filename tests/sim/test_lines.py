"""Transfers of lines, carried pooling windows and residual maxima: golden, fast simulator and the engine's reference.

Programs are random layers between lines that fill all banks and lines that store them: three implementations that share
no code must leave the same words.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from setun_compiler.program import ExternalMap, InputPort, OutputPort, Program
from setun_hw.config import Config
from setun_hw.descriptor import SIZE, Compute, Descriptor, End, Opcode, Post, Region, Transfer
from setun_hw.external import transfer_beats
from tests.hw.engine import reference
from tests.hw.engine.bench import pack_word, parameter_word, residual_word, word_of
from tests.hw.engine.fixed_layers import fixed_memories, random_fixed_layer, random_residuals
from tests.hw.engine.fixed_reference import Residuals
from tests.hw.engine.layers import random_banks, random_layer
from tests.hw.engine.reference import Banks, Memories
from tests.hw.engine.test_fixed_point import CONFIGS
from tests.sim.counting import compare
from tests.sim.regions import beats

#: their packed weights have tests of their own
LINE_CONFIGS = {name: config.replace(packed_weights=False) for name, config in CONFIGS.items()} | {
    "several beats": CONFIGS["ternary"].replace(strips=5, axi_data_bits=32),
    "lines share beats": CONFIGS["rails"].replace(axi_data_bits=128),
}


def as_bits(words: Sequence[int], width: int) -> NDArray[np.uint8]:
    """Numbers as rows of bits, lowest first."""
    return np.array([[word >> k & 1 for k in range(width)] for word in words], np.uint8)


def in_lines(config: Config, words: Sequence[Sequence[int]], own: int) -> bytes:
    """``words[bank][address]`` of ``own`` bits as a run of lines outside."""
    joined = [sum(word << own * p for p, word in enumerate(line)) for line in zip(*words, strict=True)]
    return beats(as_bits(joined, own * config.strips), config.axi_data_bits)


def program(config: Config, layers: Sequence[tuple[Compute, Post]], memories: Memories) -> Program:
    """Everything in by lines, the layers, everything out by lines."""
    weights = [pack_word(config.encoding, [d for row in rows for d in row]) for rows in memories.weights]
    parameters = [parameter_word(config, memories, index) for index in range(config.parameter_words)]
    data = [
        beats(as_bits(weights, config.weight_word_bits), config.axi_data_bits),
        beats(as_bits(parameters, config.parameter_word_bits), config.axi_data_bits),
    ]
    count = 2 * len(layers) + 7
    offsets = [(count + 1) * SIZE, (count + 1) * SIZE + len(data[0])]

    def moved(opcode: Opcode, words: int, **fields: int) -> Transfer:
        lines = opcode not in (Opcode.LOAD_WEIGHTS, Opcode.LOAD_PARAMETERS)
        if lines:
            fields |= {"lines": 1, "rows": 1, "strip_rows": 1, "row_words": words}
        transfer = Transfer(opcode=opcode, words=words, **fields)
        return replace(transfer, beats=transfer_beats(config, transfer))

    a, r, groups = config.activation_words, config.residual_words, sum(d.groups for d, _ in layers)
    middle = transfer_beats(config, moved(Opcode.LOAD_ACTIVATIONS, a)) * config.axi_data_bits // 8
    inputs = {"region": Region.INPUT}
    outputs = {"region": Region.OUTPUT, "after": groups}
    run: list[Descriptor] = [
        moved(Opcode.LOAD_WEIGHTS, config.weight_words, offset=offsets[0]),
        moved(Opcode.LOAD_PARAMETERS, config.parameter_words, offset=offsets[1]),
        moved(Opcode.LOAD_ACTIVATIONS, a, **inputs),
        moved(Opcode.LOAD_RESIDUAL, r, offset=middle, **inputs),
    ]
    for d, post in layers:
        fields: dict[str, Any] = {name: getattr(d, name) for name in d.LAYOUT if name not in d.DERIVED}
        run += [post, Compute(**{**fields, "after": 4, "after_step": 0})]
    run += [moved(Opcode.STORE_ACTIVATIONS, a, **outputs), moved(Opcode.STORE_RESIDUAL, r, offset=middle, **outputs)]
    run.append(End())
    assert len(run) == count
    size = middle + transfer_beats(config, moved(Opcode.LOAD_RESIDUAL, r)) * config.axi_data_bits // 8
    image = b"".join(d.pack() for d in [End(), *run]) + b"".join(data)
    place = ExternalMap(channels=1, rows=1, cols=1, digits=1, offset=0, row_words=1, row_bytes=size, size=size)
    source = InputPort(
        name="x", shape=(1,), axes=(), scale=1.0, zero=0, low=0, high=0, unfold=None, map=place
    )  # fmt: skip
    target = OutputPort(name="y", shape=(1,), raw=False, scale=np.ones(1), bias=np.zeros(1), map=place)
    return Program(
        name="lines", config=config, image=image, init_offset=0, init_count=1, run_offset=SIZE, run_count=len(run),
        images=1, input=source, output=target, input_bytes=size, output_bytes=size, scratch_bytes=0, layers=(),
        placements=(),
    )  # fmt: skip


def stored(config: Config, banks: Banks, residuals: Residuals) -> tuple[bytes, bytes]:
    """Both memories as lines outside."""
    words = [[word_of(codes) for codes in bank] for bank in banks]
    elements = [[residual_word(config, values) for values in memory] for memory in residuals]
    return in_lines(config, words, config.word_bits), in_lines(config, elements, config.residual_word_bits)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", LINE_CONFIGS)
def test_random_layers_between_lines(name: str, seed: int) -> None:
    config = LINE_CONFIGS[name]
    rng = random.Random(f"lines {name} {seed}")
    memories = fixed_memories(config, rng, 20)
    plain = range(config.parameter_words // 2)
    words = config.activation_words
    layers: list[tuple[Compute, Post]] = []
    while len(layers) < 4:
        if len(layers) == 1:
            drawn = random_layer(config, rng, max_steps=150, words=words, raw=False, parameters=plain), Post()
        else:
            drawn = random_fixed_layer(config, rng, max_steps=150, words=words)
        d = drawn[0]  # the simulator wants whole rings inside the memory
        if d.weight_base + d.weight_ring + d.weight_digits * d.weight_plane <= config.weight_words:
            layers.append(drawn)
    banks, residuals = random_banks(config, rng), random_residuals(config, rng)
    made = program(config, layers, memories)
    before = b"".join(stored(config, banks, residuals))
    for d, post in layers:
        reference.run(
            config, d, banks, memories, post=post, residuals=residuals, start=0, transfers_done=lambda _: 99,
            stored=lambda _: False,
        )  # fmt: skip
    assert compare(made, [before]) == [b"".join(stored(config, banks, residuals))]
