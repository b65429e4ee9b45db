"""The configurations and programs on which hardware and model are compared: one build and one session each."""

from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings

from setun_compiler import CompileError, compile_model, compile_network, host
from setun_compiler.network import Network
from setun_hw.config import Config, Encoding
from setun_sim.verify.cases import Case
from tests.strategies import integers_for, networks, samples_for

MODELS = Path(__file__).parents[1] / "models"
#: a file, and the images to run, of each shipped network that needs nothing but thresholds
SHIPPED = {
    "digits_mlp/frozen_legacy.onnx": 3,
    "tnn_vgg_mnist/frozen_dynamo.onnx": 1,
    "brevitas_tnn_mnist/qonnx.onnx": 1,
    "tfc_2w2a_mnist/TFC_2W2A.onnx": 2,
}
#: latency, interval and seed of the memory, in turn
MEMORIES = ((8, 1, None), (1, 1, None), (23, 3, None), (8, 1, 11), (5, 2, None), (8, 1, 12))
_ROOMY = {
    "thresholds": 4, "code_digits": 4, "accumulator_bits": 22, "activation_words": 8192, "weight_words": 8192,
    "parameter_words": 1024,
}  # fmt: skip
#: all differ in geometry (M != N, P = 1, P = 7, sizes that divide no layer), and in what else shapes the hardware
_GEOMETRIES = {
    "flat": {"rows": 4, "lanes": 8, "strips": 2, "post": 2, "axi_data_bits": 32, "queue_depth": 1},
    "single": {"rows": 6, "lanes": 4, "strips": 1, "post": 2, "axi_data_bits": 64, "tree_registers": 0},
    "seven": {"rows": 4, "lanes": 4, "strips": 7, "post": 1, "axi_data_bits": 128},
    "odd": {"rows": 3, "lanes": 5, "strips": 5, "post": 1, "axi_data_bits": 32, "tree_registers": 2},
}
#: which of them store weights as five trits in a byte
_PACKED = {("flat", Encoding.RAILS), ("odd", Encoding.TERNARY), ("seven", Encoding.RAILS)}

ROOMY = [
    Config(
        name=f"{name}-{encoding}", encoding=encoding, packed_weights=(name, encoding) in _PACKED, **_ROOMY, **geometry
    )
    for name, geometry in _GEOMETRIES.items()
    for encoding in Encoding
]
#: memories so small that weights stream and feature maps spill
CRAMPED = ROOMY[0].replace(name="cramped", activation_words=96, weight_words=24, parameter_words=24, counter_records=16)


def shipped_cases(config: Config) -> list[Case]:
    """The shipped networks on their own test images, on memories that differ from one to the next."""
    cases = []
    for turn, (file, images) in enumerate(SHIPPED.items()):
        path = MODELS / file
        archive = path.parent / ("TFC_2W2A_mnist400.npz" if path.stem == "TFC_2W2A" else "test256.npz")
        with np.load(archive, allow_pickle=False) as arrays:
            samples = arrays["x"] if "x" in arrays else (arrays["x_u8"][:, None] / 255).astype(np.float32)
        program = compile_model(path, config)
        latency, interval, seed = MEMORIES[(turn + config.strips) % len(MEMORIES)]
        inputs = host.encode(program, samples[:images])
        cases.append(Case(program=program, inputs=inputs, latency=latency, interval=interval, seed=seed))
    return cases


def random_networks(count: int) -> list[Network]:
    """The first ``count`` random networks of :func:`tests.strategies.networks`, always the same."""
    found: list[Network] = []

    @settings(
        max_examples=count, database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(networks())
    def collect(network: Network) -> None:
        found.append(network)

    collect()
    return found


def random_cases(config: Config, count: int) -> list[Case]:
    """Those of ``count`` random networks that fit the configuration; every fifth as a batch of P images, every third in
    two rounds."""
    cases = []
    for turn, network in enumerate(random_networks(count)):
        batch = turn % 5 == 4
        try:
            program = compile_network(network, config, batch=batch, rounds=2 if turn % 3 == 2 else 1)
        except CompileError:
            continue
        integers = integers_for(network, max(2, program.images), seed=turn)
        inputs = host.encode(program, samples_for(network, integers))
        latency, interval, seed = MEMORIES[turn % len(MEMORIES)]
        cases.append(Case(program=program, inputs=inputs, latency=latency, interval=interval, seed=seed))
    return cases
