"""The networks ``setun models`` writes: right shapes, ternary weights, the published amount of work."""

import numpy as np
import pytest
from onnx import numpy_helper

from setun_compiler import zoo
from setun_hw.errors import SetunError


def macs(model):
    """Multiply-accumulates, counted from the graph's own weights and inferred shapes."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model).graph
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in inferred.value_info}
    sizes = {c.name: int(np.prod(c.dims)) for c in inferred.initializer}
    total = 0
    for node in inferred.node:
        if node.op_type == "Conv":
            total += sizes[node.input[1]] * int(np.prod(shapes[node.output[0]][2:]))
        elif node.op_type == "Gemm":
            total += sizes[node.input[1]]
    return total


@pytest.mark.parametrize(
    ("name", "millions"),
    [("resnet20", 40.6), ("resnet56", 125.5), ("resnet18", 1814.1), ("resnet50", 4089.2), ("cutie", 309.2)],
)
def test_work_is_the_published_amount(name, millions):
    assert macs(zoo.build(name)) / 1e6 == pytest.approx(millions, rel=0.005)


@pytest.mark.parametrize("name", sorted(zoo.ARCHITECTURES))
def test_weights_are_ternary_in_each_output_channel(name):
    model = zoo.build(name, sparsity=0.7, size=32, width=8)
    weights = [numpy_helper.to_array(c) for c in model.graph.initializer if c.name.endswith(".weight")]
    assert weights
    for tensor in weights:
        assert all(len(np.unique(np.abs(channel[channel != 0]))) <= 1 for channel in tensor)
    zeros = sum(int((w == 0).sum()) for w in weights) / sum(w.size for w in weights)
    assert zeros == pytest.approx(0.7, abs=0.03)


def test_same_arguments_give_the_same_bytes():
    assert zoo.build("resnet20").SerializeToString() == zoo.build("resnet20").SerializeToString()
    assert zoo.build("resnet20").SerializeToString() != zoo.build("resnet20", seed=1).SerializeToString()


def test_unknown_name_is_refused():
    with pytest.raises(SetunError, match=r"^unknown network 'resnet19': choose one of lenet5, "):
        zoo.build("resnet19")
