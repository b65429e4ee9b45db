"""A whole ImageNet network at full size in its configuration: the program's floats are the network's."""

from pathlib import Path

import numpy as np
import onnx

from setun_compiler import compile_network, interpret, zoo
from setun_compiler.frontend import Precision, read
from setun_hw import presets
from setun_sim import simulate


def test_resnet18_at_224_x_224_is_exact(tmp_path: Path) -> None:
    config = presets.config("imagenet")
    path = tmp_path / "resnet18.onnx"
    onnx.save(zoo.build("resnet18"), path)
    samples = np.random.default_rng(0).normal(size=(1, 3, 224, 224)).clip(-4.9, 4.9)
    network = read(path, input_range=(-5, 5), precision=Precision.of(config))
    result = simulate(compile_network(network, config), samples)
    assert result.logits is not None
    assert np.array_equal(result.logits, interpret.logits(network, samples))
    assert np.unique(result.logits).size > 900
    assert sum(layer.activity.products for layer in result.layers if layer.activity) > 1e8
