"""Dependencies between transfers and channel groups, worked out by hand."""

import numpy as np

from setun_compiler import compile_network
from setun_compiler.backend.check_program import descriptors
from setun_compiler.backend.hazards import Memory
from setun_compiler.program import Program
from setun_hw.config import Config
from setun_hw.descriptor import Compute, Descriptor, Opcode, Transfer
from tests.compiler.small_network import network

CONFIG = Config(
    name="test",
    rows=4,
    lanes=4,
    strips=2,
    post=2,
    accumulator_bits=16,
    weight_words=256,
    parameter_words=64,
    axi_data_bits=32,
)


def dense(outputs: int, inputs: int, config: Config) -> Program:
    """A raw fully connected layer: outputs/4 groups of inputs/4 words."""
    return compile_network(network(np.ones((outputs, inputs, 1, 1), int), (inputs, 1, 1)), config)


def shape(found: list[Descriptor]) -> list[str]:
    return [d.opcode.name for d in found]


def test_what_fits_stays_resident() -> None:
    init, run = descriptors(dense(8, 16, CONFIG))
    assert shape(init) == ["LOAD_WEIGHTS", "END"]
    assert shape(run) == ["LOAD_ACTIVATIONS", "COMPUTE", "STORE_ACTIVATIONS", "END"]
    compute, store = run[1], run[2]
    assert isinstance(compute, Compute)
    assert isinstance(store, Transfer)
    assert (compute.after, compute.after_step) == (1, 0)
    assert store.after == 2


def test_groups_go_round_a_ring_and_wait_for_the_place_they_take() -> None:
    """Four groups of 16 words in a memory of 32: group g goes where group g-2 was, once that is complete."""
    _, run = descriptors(dense(16, 64, CONFIG.replace(weight_words=32)))
    loads = [d for d in run if isinstance(d, Transfer) and d.opcode is Opcode.LOAD_WEIGHTS]
    assert shape(run) == [
        "LOAD_WEIGHTS",
        "LOAD_ACTIVATIONS",
        "COMPUTE",
        "LOAD_WEIGHTS",
        "LOAD_WEIGHTS",
        "LOAD_WEIGHTS",
        "STORE_ACTIVATIONS",
        "END",
    ]
    assert [d.base for d in loads] == [0, 16, 0, 16]
    assert [d.after for d in loads] == [0, 0, 1, 2]
    compute = run[2]
    assert isinstance(compute, Compute)
    assert (compute.weight_group_step, compute.weight_ring) == (16, 32)
    # group 0 needs both loads before it, group g the g-th after it
    assert (compute.after, compute.after_step) == (2, 1)


def test_ring_leaves_a_place_for_the_next_layer() -> None:
    """Room for four groups: three go round, so that the next layer's first group need not wait for the last."""
    _, run = descriptors(dense(32, 64, CONFIG.replace(weight_words=64)))
    compute = next(d for d in run if isinstance(d, Compute))
    assert compute.weight_ring == 48


def test_memory_remembers_its_last_users() -> None:
    memory = Memory(10)
    assert memory.load(0, 5, 1) == 0
    assert memory.read(0, 3, 4) == 1  # groups up to 4 read what transfer 1 brought
    assert memory.read(6, 9, 4) == 0
    assert memory.load(2, 4, 2) == 4  # overwrites what group 4 reads
    assert memory.load(3, 6, 3) == 0
    assert memory.write(8, 10, 5) == 0
    assert memory.store(8, 10, 4) == 5  # takes what group 5 writes
    assert memory.store(0, 2, 5) == 0  # reading together is no conflict
    assert memory.read(8, 10, 6) == 0
    assert memory.write(8, 9, 7) == 4  # overwrites what transfer 4 takes
    assert memory.free_after(6, 9) == 7
