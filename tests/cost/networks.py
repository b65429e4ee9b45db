"""A one-layer network of chosen sparsity, simulated."""

import numpy as np

from setun_compiler import compile_network
from setun_hw.config import Config, Encoding
from setun_hw.presets import config
from setun_sim.simulation import Result, simulate
from tests.compiler.small_network import network

SMALL = config("tiny")


def simulated(
    encoding: Encoding, *, weights_kept: float = 0.5, inputs_kept: float = 0.5, base: Config = SMALL
) -> Result:
    """A 3x3 convolution of 8 channels to 8 on 6x6 maps; the share that is kept of weights and of inputs is not zero.

    Smaller shares keep a subset of what larger ones keep.
    """
    random = np.random.default_rng(3)
    shape = (8, 8, 3, 3)
    weights = np.where(random.random(shape) < weights_kept, random.choice([-1, 1], shape), 0)
    images = (2, 8, 6, 6)
    inputs = np.where(random.random(images) < inputs_kept, random.choice([-1, 1], images), 0)
    thresholds, codes = np.tile([-2, 3], (8, 1)), np.tile([-1, 0, 1], (8, 1))
    net = network(weights, images[1:], thresholds=thresholds, codes=codes, padding=(1, 1, 1, 1))
    program = compile_network(net, base.replace(encoding=encoding))
    return simulate(program, inputs.astype(float))
