"""Fixed-point post-processing, residual operands and everything else of phase 2: programs mean what networks mean."""

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from setun_compiler import CompileError, compile_network
from setun_compiler.backend.check_program import descriptors
from setun_compiler.network import Network
from setun_hw.config import Config
from setun_hw.descriptor import Compute, Post
from tests.compiler.test_backend_random import check_meaning
from tests.fixed_point import affine_configs, fixed_point_networks

SLOW = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@SLOW
@given(network=fixed_point_networks(), config=affine_configs(), batch=st.booleans())
def test_program_means_what_the_network_means(network: Network, config: Config, batch: bool) -> None:
    check_meaning(network, compile_network(network, config, batch=batch))


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
