"""Fixed-point configurations and networks with real-valued tensors on which hardware and model are compared."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from setun_compiler import Program, compile_model, host, zoo
from setun_hw.config import Config, Encoding
from setun_sim.verify.cases import Case
from tests.verify.matrix import MEMORIES, MODELS

Samples = NDArray[np.float32]

RESIDUAL_NETWORK = MODELS / "asymmetric_digits" / "model.onnx"
#: spellings of trained networks: file, and samples to run
TRAINED = {
    "twn_lenet_mnist/frozen_act8_legacy.onnx": "test256_act8.npz",
    "twn_lenet_mnist/qat_legacy.onnx": "test256.npz",
    "ttq_cnn_mnist/frozen_legacy.onnx": "test256.npz",
}
#: faithful graphs with fewer pixels and channels: size, and what the channel counts are divided by
SCALED = {"resnet20": (32, 8), "resnet18": (32, 16)}

_ROOMY = {
    "thresholds": 4, "code_digits": 4, "accumulator_bits": 24, "activation_words": 4096, "weight_words": 4096,
    "parameter_words": 1024, "affine": True, "two_scale": True, "residual_words": 2048,
}  # fmt: skip
#: each its own geometry and encoding
FIXED = [
    Config(
        name="fixed-flat", encoding=Encoding.TERNARY, rows=4, lanes=8, strips=2, post=2, axi_data_bits=32,
        queue_depth=1, **_ROOMY,
    ),
]  # fmt: skip


def digits(images: int) -> tuple[Samples, NDArray[np.float32]]:
    """Test images of the residual network and the float network's logits for them."""
    with np.load(RESIDUAL_NETWORK.parent / "test400.npz", allow_pickle=False) as arrays:
        return (arrays["x_u8"][:images] / 16).astype(np.float32), arrays["logits"][:images]


def residual_program(config: Config) -> Program:
    """The residual network with its ranges from all its test images."""
    return compile_model(RESIDUAL_NETWORK, config, calibration=digits(400)[0])


def fixed_point_cases(config: Config, folder: Path) -> list[Case]:
    """An image through every trained and every scaled network, on memories that differ from one to the next."""
    cases = []
    for turn, (program, samples) in enumerate(_programs(config, folder)):
        latency, interval, seed = MEMORIES[(turn + config.strips) % len(MEMORIES)]
        inputs = host.encode(program, samples)
        cases.append(Case(program=program, inputs=inputs, latency=latency, interval=interval, seed=seed))
    return cases


def _programs(config: Config, folder: Path) -> Iterator[tuple[Program, Samples]]:
    for file, archive in TRAINED.items():
        with np.load((MODELS / file).parent / archive, allow_pickle=False) as arrays:
            samples = arrays["x"][:64]
        yield compile_model(MODELS / file, config, calibration=samples), samples[:1]
    for name, (size, width) in SCALED.items():
        path = folder / f"{name}.onnx"
        model: Any = zoo.build(name, size=size, width=width)
        onnx.save(model, path)
        samples = np.random.default_rng(3).normal(size=(4, 3, size, size)).astype(np.float32)
        yield compile_model(path, config, calibration=samples, rounds=2), samples[:2]
