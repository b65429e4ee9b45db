"""ImageNet networks with fewer channels and pixels on memories so small that the same things spill as at full size."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from setun_compiler import compile_model, host, zoo
from setun_compiler.program import Program
from setun_hw.config import Config
from setun_hw.descriptor import Compute, Opcode, Region, Transfer
from setun_sim.order import descriptors_of
from setun_sim.verify.cases import Case
from setun_sim.verify.verify import verify_cases
from tests.verify.matrix import MEMORIES
from tests.verify.test_equal import check

pytestmark = pytest.mark.rtl

#: counters of every descriptor are kept, so that all are compared
SPILLING = Config(
    name="spilling", rows=8, lanes=16, strips=2, post=4, thresholds=2, code_digits=1, accumulator_bits=24,
    activation_words=376, weight_words=120, parameter_words=48, axi_data_bits=64, queue_depth=1, affine=True,
    residual_words=160, counter_records=4096,
)  # fmt: skip
#: rows and columns of an image; channels are divided by 8
SIZES = {"resnet18": 64, "resnet34": 64, "resnet50": 64, "alexnet": 67}


def moved(program: Program) -> Counter[tuple[Opcode, Region]]:
    """Transfers in lines by kind and region, and those of weights."""
    run = descriptors_of(program.image, program.run_offset, program.run_count)
    moves = [d for d in run if isinstance(d, Transfer) and (d.lines or d.opcode is Opcode.LOAD_WEIGHTS)]
    return Counter((d.opcode, Region(d.region)) for d in moves)


def spilled(name: str, program: Program) -> None:
    """Weights, the input, residuals and, where channels are many, activations come and go while layers compute."""
    found = moved(program)
    assert found[Opcode.LOAD_WEIGHTS, Region.PROGRAM] > len(program.layers)
    assert found[Opcode.LOAD_ACTIVATIONS, Region.INPUT] > 100
    residuals = [found[opcode, Region.SCRATCH] for opcode in (Opcode.STORE_RESIDUAL, Opcode.LOAD_RESIDUAL)]
    activations = [found[opcode, Region.SCRATCH] for opcode in (Opcode.STORE_ACTIVATIONS, Opcode.LOAD_ACTIVATIONS)]
    assert [count > 10 for count in residuals] == [name != "alexnet"] * 2
    assert [count > 100 for count in activations] == [name == "resnet50"] * 2
    computes = [
        d for d in descriptors_of(program.image, program.run_offset, program.run_count) if isinstance(d, Compute)
    ]
    stem = {(d.pool_carry, d.residual_max) for d in computes} - {(0, 0)}
    assert stem == ({(1, 0), (1, 1)} if name != "alexnet" else set())


def test_imagenet_networks_that_spill_equal_the_model(tmp_path: Path) -> None:
    cases = []
    for (name, size), memory in zip(SIZES.items(), MEMORIES, strict=False):
        path = tmp_path / f"{name}.onnx"
        model: Any = zoo.build(name, size=size, width=8)
        onnx.save(model, path)
        samples = np.random.default_rng(1).normal(size=(2, 3, size, size)).astype(np.float32)
        program = compile_model(path, SPILLING, calibration=samples)
        spilled(name, program)
        latency, interval, seed = memory
        inputs = host.encode(program, samples[:1])
        cases.append(Case(program=program, inputs=inputs, latency=latency, interval=interval, seed=seed))
    check(verify_cases(cases))
