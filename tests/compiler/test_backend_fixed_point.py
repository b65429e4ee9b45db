"""Fixed-point post-processing, residual operands and everything else of phase 2: programs mean what networks mean."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from setun_compiler import CompileError, compile_network
from setun_compiler.backend.check_program import descriptors
from setun_compiler.network import Affine, Feature, Network, Pool, Residual
from setun_hw.config import Config
from setun_hw.descriptor import Compute, Post
from tests.compiler.small_network import network as small_network
from tests.compiler.test_backend_random import check_meaning
from tests.fixed_point import affine_configs, fixed_point_networks

SLOW = settings(
    max_examples=25, deadline=None,
    # of memories made small, many are too small
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)  # fmt: skip


@SLOW
@given(network=fixed_point_networks(), config=affine_configs(), batch=st.booleans(), rounds=st.sampled_from([1, 1, 2]))
def test_program_means_what_the_network_means(network: Network, config: Config, batch: bool, rounds: int) -> None:
    check_meaning(network, compile_network(network, config, batch=batch, rounds=rounds))


@SLOW
@given(network=fixed_point_networks(), config=affine_configs(), share=st.sampled_from([0.3, 0.5, 0.7, 0.9]))
def test_maps_and_residuals_that_do_not_fit_spill(network: Network, config: Config, share: float) -> None:
    run = descriptors(compile_network(network, config))[1]
    banks = max(max(d.in_end, d.out_end) for d in run if isinstance(d, Compute))
    residual = max((max(d.res_end, d.res_out_end) for d in run if isinstance(d, Post)), default=0)
    tight = config.replace(
        activation_words=max(2, int(banks * share)), residual_words=max(2, int(residual * share)) or 2
    )
    try:
        program = compile_network(network, tight)
    except CompileError:
        assume(False)
        raise
    check_meaning(network, program)


@SLOW
@given(network=fixed_point_networks(), config=affine_configs())
def test_streamed_weights_and_parameters_arrive_in_time(network: Network, config: Config) -> None:
    run = [d for d in descriptors(compile_network(network, config))[1] if isinstance(d, Compute)]
    group = max(d.weight_plane * d.weight_digits for d in run)
    words = config.chunks * max(d.groups for d in run)
    check_meaning(
        network, compile_network(network, config.replace(weight_words=max(2, 2 * group), parameter_words=max(2, words)))
    )


def pooled_residual(after: bool, window: int = 1) -> Network:
    """A layer that pools, and adds what the layer before it left in fixed point."""
    net = small_network(np.ones((4, 4, 1, 1), np.int64), (4, 4, 4))
    zero, one = np.zeros(4, np.int64), np.ones(4, np.int64)
    post = Affine(
        m=one, m2=zero, r=one, b=zero, shift=0, pivot=zero, m0=one, b0=zero, m1=one, b1=zero, shift1=0, low=-40,
        high=40, residual_after=after,
    )  # fmt: skip
    first = replace(net.layers[0], name="first", target=None, fixed="real", post=post)
    operand = Residual(source="real", rows=window, cols=window, row_step=2, col_step=2)
    pool = Pool(rows=2, cols=2, row_stride=2, col_stride=2)
    second = replace(net.layers[0], name="second", post=post, residual=operand, pool=pool)
    features = {
        "x": net.features["x"],
        "real": Feature(name="real", channels=4, rows=4, cols=4, low=-40, high=40),
        "y": Feature(name="y", channels=4, rows=2, cols=2, low=-40, high=40),
    }
    return replace(net, layers=(first, second), features=features, output=replace(net.output, shape=(4, 2, 2)))


def test_a_residual_is_added_behind_pooling_or_not_at_all() -> None:
    """The machine can add it before, to every pixel of the window; what networks mean does not need it."""
    config = Config(name="test", rows=4, lanes=4, strips=2, post=2, code_digits=4, affine=True, residual_words=64)
    net = pooled_residual(after=True)
    check_meaning(net, compile_network(net, config))
    text = "^layer 'second': with max pooling the residual operand must be added behind it$"
    with pytest.raises(CompileError, match=text):
        compile_network(pooled_residual(after=False), config)
    with pytest.raises(CompileError, match="^layer 'second': with max pooling the residual operand's window must be"):
        compile_network(pooled_residual(after=True, window=2), config)
    nothing = replace(net, layers=(net.layers[0], replace(net.layers[1], target=None)))
    with pytest.raises(CompileError, match="^layer 'second': makes nothing$"):
        compile_network(nothing, config)
