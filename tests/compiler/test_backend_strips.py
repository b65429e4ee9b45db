"""Strip heights: utilisation of known networks, and the rules of docs/machine.md on random ones."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from setun_compiler import CompileError, compile_network
from setun_compiler.backend.check_program import descriptors
from setun_compiler.network import Feature, Layer, Network, Output, Pool, Port, Threshold
from setun_compiler.program import Program
from setun_hw.config import Config
from setun_hw.descriptor import Compute, Opcode, Transfer
from tests.strategies import configs, networks


def conv_chain(rows: int, channels: list[int], pooled: set[int], config: Config) -> Program:
    """3 x 3 convolutions of padding 1 on square maps; those of ``pooled`` are followed by 2 x 2 max pooling."""
    features = {"f0": Feature(name="f0", channels=channels[0], rows=rows, cols=rows, low=-1, high=1)}
    layers = []
    for k, (inputs, outputs) in enumerate(pairwise(channels)):
        rows = rows // 2 if k in pooled else rows
        features[f"f{k + 1}"] = Feature(name=f"f{k + 1}", channels=outputs, rows=rows, cols=rows, low=-1, high=1)
        layers.append(
            Layer(
                name=f"layer{k}",
                source=f"f{k}",
                target=f"f{k + 1}",
                weights=np.ones((outputs, inputs, 3, 3), np.int64),
                padding=(1, 1, 1, 1),
                pool=Pool(rows=2, cols=2, row_stride=2, col_stride=2) if k in pooled else None,
                post=Threshold(thresholds=np.array([[-1, 2]] * outputs), codes=np.array([[-1, 0, 1]] * outputs)),
            )
        )
    net = Network(
        name="chain",
        port=Port(name="x", shape=features["f0"].shape, feature="f0", scale=1.0, zero=0),
        output=Output(name="y", feature=f"f{len(layers)}", shape=features[f"f{len(layers)}"].shape),
        features=features,
        layers=tuple(layers),
    )
    return compile_network(net, config)


def computes(program: Program) -> list[Compute]:
    return [d for d in descriptors(program)[1] if isinstance(d, Compute)]


def steps(d: Compute) -> int:
    pixels = d.out_rows * d.out_cols * d.pool_rows * d.pool_cols
    return d.groups * pixels * d.in_digits * d.weight_digits * d.kernel_rows * d.kernel_cols * d.blocks


CONFIG = Config(name="test", rows=16, lanes=16, strips=4, post=16)


def test_pooled_maps_keep_every_strip_busy() -> None:
    """32, 16, 8 and 4 rows over four strips: 8, 4, 2 and 1 rows each, all multipliers used in every step."""
    program = conv_chain(32, [16, 16, 32, 64, 64], {0, 1, 2}, CONFIG)
    run = descriptors(program)[1]
    for layer, height, rows in zip(program.layers, [8, 4, 2, 1], [4, 2, 1, 1], strict=True):
        own = [d for k in layer.descriptors if isinstance(d := run[k], Compute)]
        assert {d.in_strip_rows for d in own} == {height}
        assert sum(d.out_rows for d in own) == rows
        assert layer.digit_macs == sum(steps(d) for d in own) * CONFIG.multipliers


def test_rows_that_do_not_divide_leave_the_last_strip_short() -> None:
    program = conv_chain(14, [16, 16, 16], set(), CONFIG)
    assert [(d.in_strip_rows, d.in_full_strips, d.in_last_rows) for d in computes(program)] == [(4, 3, 2)] * 2


def test_dense_layer_reads_all_strips_and_writes_strip_0() -> None:
    weights = np.ones((16, 16, 8, 8), np.int64)
    features = {
        "x": Feature(name="x", channels=16, rows=8, cols=8, low=-1, high=1),
        "y": Feature(name="y", channels=16, rows=1, cols=1, low=0, high=1),
    }
    post = Threshold(thresholds=np.zeros((16, 1), np.int64), codes=np.array([[0, 1]] * 16))
    net = Network(
        name="dense",
        port=Port(name="x", shape=(16, 8, 8), feature="x", scale=1.0, zero=0),
        output=Output(name="y", feature="y", shape=(16,)),
        features=features,
        layers=(Layer(name="dense", source="x", target="y", weights=weights, post=post),),
    )
    (d,) = computes(compile_network(net, CONFIG))
    assert (d.in_strip_rows, d.in_full_strips, d.kernel_rows, d.out_rows, d.row_step) == (2, 4, 8, 1, 2)


@settings(max_examples=80, deadline=None)
@given(network=networks(), config=configs(), batch=st.booleans())
def test_rules_of_the_machine_hold(network: Network, config: Config, batch: bool) -> None:
    program = compile_network(network, config, batch=batch)
    run = descriptors(program)[1]
    for d in computes(program):
        rows = d.in_full_strips * d.in_strip_rows + d.in_last_rows
        assert d.pad_top <= d.in_strip_rows
        assert d.kernel_row_step <= d.in_strip_rows
        assert d.pool_row_step <= d.in_strip_rows
        assert d.out_rows == 1 or d.row_step <= d.in_strip_rows
        assert d.batch == batch
        if not batch and d.in_strip_rows != d.row_step * d.out_rows:
            target = next(layer for layer in program.layers if d in [run[k] for k in layer.descriptors])
            pieces = [c for k in target.descriptors if isinstance(c := run[k], Compute)]
            made = sum(c.out_rows * c.groups for c in pieces) // -(-target.out_shape[0] // config.rows)
            assert made in (d.in_strip_rows // d.row_step, target.out_shape[1]), "all rows, or the whole in strip 0"
        assert rows <= config.strips * d.in_strip_rows
    loads = [d for d in run if isinstance(d, Transfer) and d.opcode is Opcode.LOAD_ACTIVATIONS]
    rows = program.input.map.line_rows or program.images * program.input.map.rows
    assert sum(d.words for d in loads) == rows * program.input.map.row_words, "every word is fetched once"
    assert {bool(d.lines) for d in loads} == {program.input.map.line_rows > 0}


def test_map_that_does_not_fit_is_refused_with_the_words_it_takes() -> None:
    """Not even one pixel of 6 words and its result fit: in whole, both sides take 90 pixels of 7 words."""
    weights = np.ones((1, 1, 1, 1), np.int64)
    features = {
        "x": Feature(name="x", channels=1, rows=1, cols=90, low=-364, high=364),
        "y": Feature(name="y", channels=1, rows=1, cols=90, low=0, high=1),
    }
    post = Threshold(thresholds=np.zeros((1, 1), np.int64), codes=np.array([[0, 1]]))
    net = Network(
        name="line",
        port=Port(name="x", shape=(1, 1, 90), feature="x", scale=1.0, zero=0),
        output=Output(name="y", feature="y", shape=(1, 1, 90)),
        features=features,
        layers=(Layer(name="long", source="x", target="y", weights=weights, post=post),),
    )
    text = (
        "^layer 'long': its input and output take 630 activation words in each bank,"
        " but configuration 'test' has activation_words 6$"
    )
    with pytest.raises(CompileError, match=text):
        compile_network(net, CONFIG.replace(activation_words=6))
