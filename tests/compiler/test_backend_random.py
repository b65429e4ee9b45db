"""Random networks compiled and interpreted: the program means what the network means, however small the memories."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from setun_compiler import CompileError, compile_network, host, interpret
from setun_compiler.backend.check_program import descriptors
from setun_compiler.network import Integers, Network, Raw
from setun_compiler.program import Program
from setun_hw.config import Config, Encoding
from setun_hw.descriptor import Compute, Opcode, Region, Transfer
from setun_sim import golden
from tests.strategies import configs, integers_for, networks, samples_for

SLOW = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def expected(network: Network, integers: Integers) -> np.ndarray:
    """Floats of the network's output after its integer meaning."""
    layer = next(layer for layer in network.layers if layer.target == network.output.feature)
    values = interpret.run(network, integers)[layer.name].output
    if isinstance(layer.post, Raw):
        values = values * layer.post.scale[:, None, None] + layer.post.bias[:, None, None]
    return np.asarray(values.reshape(len(integers), *network.output.shape))


def check_meaning(network: Network, program: Program) -> None:
    """The golden interpreter's floats equal the network's, in both extreme orders of transfers and groups."""
    integers = integers_for(network, program.images)
    region = host.encode(program, samples_for(network, integers))
    assert region.shape == (1, program.input_bytes)
    found = golden.run(program, region.tobytes())
    floats = host.decode(program, np.frombuffer(found, np.uint8)[None], program.images)
    np.testing.assert_allclose(floats, expected(network, integers), rtol=1e-12, atol=1e-9)
    late = golden.run(program, region.tobytes(), eager=False)
    np.testing.assert_array_equal(host.decode(program, np.frombuffer(late, np.uint8)[None], program.images), floats)


@SLOW
@given(network=networks(), config=configs(), batch=st.booleans(), rounds=st.sampled_from([1, 1, 2, 3]))
def test_program_means_what_the_network_means(network: Network, config: Config, batch: bool, rounds: int) -> None:
    check_meaning(network, compile_network(network, config, batch=batch, rounds=rounds))


@SLOW
@given(network=networks(), config=configs(), data=st.data())
def test_streamed_weights_and_parameters_arrive_in_time(network: Network, config: Config, data: st.DataObject) -> None:
    roomy = compute_of(compile_network(network, config))
    group = max(d.weight_plane * d.weight_digits for d in roomy)
    tight = config.replace(
        weight_words=max(2, group * data.draw(st.integers(1, 3))),
        parameter_words=max(2, data.draw(st.sampled_from([1, 2, 5])) * config.chunks * max(d.groups for d in roomy)),
    )
    check_meaning(network, compile_network(network, tight))


@SLOW
@given(
    network=networks(branches=True),
    config=configs(),
    share=st.sampled_from([0.3, 0.5, 0.7, 0.9]),
    rounds=st.sampled_from([1, 2]),
)
def test_feature_maps_that_do_not_fit_spill(network: Network, config: Config, share: float, rounds: int) -> None:
    peak = max(max(d.in_end, d.out_end) for d in compute_of(compile_network(network, config)))
    try:
        tight = config.replace(activation_words=max(2, int(peak * share)))
        program = compile_network(network, tight, rounds=rounds)
    except CompileError:
        assume(False)
        raise
    check_meaning(network, program)


def compute_of(program: Program) -> Sequence[Compute]:
    """The COMPUTE descriptors of the run list."""
    return [d for d in descriptors(program)[1] if isinstance(d, Compute)]


BIG = Config(name="big", rows=4, lanes=4, strips=3, post=2, code_digits=4, accumulator_bits=22, weight_words=64)


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("words", [60, 100, 130])
def test_bands_spill_and_refill(encoding: Encoding, words: int) -> None:
    """A 3 x 3 convolution, a strided one with pooling and a 1 x 1 one on 23 rows, with room for only a part of them."""
    network = chain()
    program = compile_network(network, BIG.replace(encoding=encoding, activation_words=words))
    moved = [d for d in descriptors(program)[1] if isinstance(d, Transfer)]
    spilled = [d.opcode for d in moved if d.region == Region.SCRATCH]
    assert len([d for d in moved if d.region == Region.INPUT]) > 1
    assert spilled.count(Opcode.STORE_ACTIVATIONS) >= 1
    assert spilled.count(Opcode.LOAD_ACTIVATIONS) >= 1
    assert program.scratch_bytes > 0
    check_meaning(network, program)


def chain() -> Network:
    """Three layers of different strides on a map of 23 x 6."""
    from setun_compiler.network import Feature, Layer, Output, Pool, Port, Threshold

    random = np.random.default_rng(5)
    shapes = [(3, 23, 6), (6, 23, 6), (5, 6, 2), (3, 6, 2)]
    features = {
        f"f{k}": Feature(name=f"f{k}", channels=c, rows=r, cols=w, low=-1, high=1) for k, (c, r, w) in enumerate(shapes)
    }

    def layer(k: int, kernel: int, stride: int, pad: int, pool: Pool | None) -> Layer:
        out, channels = shapes[k + 1][0], shapes[k][0]
        thresholds = np.sort(random.integers(-3, 4, (out, 2)), axis=1)
        return Layer(
            name=f"layer{k}",
            source=f"f{k}",
            target=f"f{k + 1}",
            padding=(pad,) * 4,
            stride=(stride, stride),
            pool=pool,
            weights=random.integers(-1, 2, (out, channels, kernel, kernel)),
            post=Threshold(thresholds=thresholds, codes=np.tile([-1, 0, 1], (out, 1))),
        )

    layers = (
        layer(0, 3, 1, 1, None),
        layer(1, 3, 2, 1, Pool(rows=2, cols=2, row_stride=2, col_stride=1)),
        layer(2, 1, 1, 0, None),
    )
    return Network(
        name="chain",
        port=Port(name="x", shape=shapes[0], feature="f0", scale=1.0, zero=0),
        output=Output(name="y", feature="f3", shape=shapes[3]),
        features=features,
        layers=layers,
    )
