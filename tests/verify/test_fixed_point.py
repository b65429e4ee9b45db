"""Networks with real-valued tensors: fixed-point post-processing, residual memories and two scales in the Verilog."""

from pathlib import Path

import numpy as np
import pytest

from setun_compiler import host
from setun_hw.config import Config
from setun_sim.execute import execute
from setun_sim.verify.cases import Case
from setun_sim.verify.verify import verify_cases
from tests.verify.fixed_matrix import FIXED, digits, fixed_point_cases, residual_program
from tests.verify.test_equal import check

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize("config", FIXED, ids=lambda config: config.name)
def test_networks_with_real_values_equal_the_model(config: Config, tmp_path: Path) -> None:
    program = residual_program(config)
    residual = Case(program=program, inputs=host.encode(program, digits(16)[0]))
    check(verify_cases([residual, *fixed_point_cases(config, tmp_path)]))


def test_the_residual_network_decides_like_its_float_model() -> None:
    program = residual_program(FIXED[0])
    samples, logits = digits(400)
    outputs = host.decode(program, execute(program, host.encode(program, samples)).outputs, 400)
    assert np.mean(outputs.argmax(1) == logits.argmax(1)) >= 0.99
