"""Random compiled programs on the fast simulator: same bytes as golden, whatever the network, geometry and encoding."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from setun_compiler import compile_network, host
from setun_compiler.network import Network
from setun_hw.config import Config
from setun_hw.descriptor import Compute
from setun_sim import golden, simulate
from setun_sim.execute import execute
from tests.strategies import configs, integers_for, networks, samples_for


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(network=networks(), config=configs(), batch=st.booleans(), latency=st.sampled_from([1, 8, 50]))
def test_fast_simulator_equals_golden(network: Network, config: Config, batch: bool, latency: int) -> None:
    program = compile_network(network, config, batch=batch)
    samples = samples_for(network, integers_for(network, 2 * program.images - 1))
    inputs = host.encode(program, samples)
    expected = np.stack([np.frombuffer(golden.run(program, run.tobytes()), np.uint8) for run in inputs])
    assert np.array_equal(execute(program, inputs).outputs, expected)
    result = simulate(program, samples, latency=latency)
    assert result.logits is not None
    assert np.array_equal(result.logits, host.decode(program, expected, len(samples)))
    # every cycle until the last COMPUTE's end belongs to one layer, and to one cause
    last = max(k for k, d in enumerate(result.timeline.descriptors) if isinstance(d, Compute))
    assert sum(layer.cycles for layer in result.layers) == result.counters[last, 1]
    for layer in result.layers:
        s = layer.stalls
        assert layer.cycles == layer.steps + s.idle + s.load + s.drain + s.store + s.pipeline
        assert min(s.idle, s.load, s.drain, s.store, s.pipeline) >= 0
        assert layer.utilisation <= 1
