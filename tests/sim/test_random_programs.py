"""Random compiled programs on the fast simulator: same bytes and events as golden, same floats as the network."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from setun_compiler import compile_network, host
from setun_compiler.network import Network
from setun_hw.config import Config
from setun_hw.descriptor import Compute
from setun_sim import simulate
from tests.compiler.test_backend_random import expected
from tests.fixed_point import affine_configs, fixed_point_networks
from tests.sim.counting import compare
from tests.strategies import configs, integers_for, networks, samples_for

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=40, deadline=None, suppress_health_check=_SLOW)
@given(network=networks(), config=configs(), batch=st.booleans(), latency=st.sampled_from([1, 8, 50]))
def test_fast_simulator_equals_golden(network: Network, config: Config, batch: bool, latency: int) -> None:
    _check(network, config, batch, latency)


@settings(max_examples=40, deadline=None, suppress_health_check=_SLOW)
@given(
    network=fixed_point_networks(), config=affine_configs(), batch=st.booleans(), latency=st.sampled_from([1, 8, 50])
)
def test_fixed_point_equals_golden(network: Network, config: Config, batch: bool, latency: int) -> None:
    _check(network, config, batch, latency)


def _check(network: Network, config: Config, batch: bool, latency: int) -> None:
    program = compile_network(network, config, batch=batch)
    integers = integers_for(network, 2 * program.images - 1)
    samples = samples_for(network, integers)
    inputs = host.encode(program, samples)
    outputs = compare(program, [run.tobytes() for run in inputs])
    decoded = host.decode(program, np.stack([np.frombuffer(data, np.uint8) for data in outputs]), len(samples))
    result = simulate(program, samples, latency=latency)
    assert result.logits is not None
    assert np.array_equal(result.logits, decoded)
    np.testing.assert_allclose(decoded, expected(network, integers), rtol=1e-12, atol=1e-9)
    # every cycle until the last COMPUTE's end belongs to one layer, and to one cause
    last = max(k for k, d in enumerate(result.timeline.descriptors) if isinstance(d, Compute))
    assert sum(layer.cycles for layer in result.layers) == result.counters[last, 1]
    for layer in result.layers:
        s = layer.stalls
        assert layer.cycles == layer.steps + s.idle + s.load + s.drain + s.store + s.pipeline
        assert min(s.idle, s.load, s.drain, s.store, s.pipeline) >= 0
        assert layer.utilisation <= 1
