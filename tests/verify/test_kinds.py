"""Every kind of network of docs/networks.md on the Verilog, on builds that other tests need anyway."""

from pathlib import Path

import pytest

from setun_compiler import host
from setun_hw.config import Config
from setun_sim.verify.cases import Case
from setun_sim.verify.verify import verify_cases
from tests.networks.kinds import KINDS
from tests.networks.programs import FIXED_POINT, PLAIN, program_of
from tests.verify.matrix import MEMORIES
from tests.verify.test_equal import check

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize("config", [FIXED_POINT, PLAIN], ids=lambda config: config.name)
def test_every_kind_of_network_equals_the_model(config: Config, tmp_path: Path) -> None:
    cases = []
    for turn, make in enumerate(KINDS.values()):
        kind = make()
        if config.affine or not kind.fixed_point:
            program = program_of(kind, config, tmp_path)
            latency, interval, seed = MEMORIES[turn % len(MEMORIES)]
            inputs = host.encode(program, kind.samples[:1])
            cases.append(Case(program=program, inputs=inputs, latency=latency, interval=interval, seed=seed))
    assert len(cases) > 10
    check(verify_cases(cases))
