"""Golden, simulator and Verilog agree: outputs value by value, counters word by word, cycles one by one."""

import pytest

from setun_hw.config import Config
from setun_sim.verify.report import Report
from setun_sim.verify.verify import verify_cases
from tests.verify.matrix import CRAMPED, ROOMY, random_cases, shipped_cases

pytestmark = pytest.mark.rtl


def check(reports: list[Report]) -> None:
    """No mismatch anywhere, and enough compared that this means something."""
    failed = [report.to_text() for report in reports if not report.passed]
    assert failed == []
    assert all(report.outputs_compared and report.counters_compared for report in reports)
    outputs = sum(report.outputs_compared for report in reports)
    counters = sum(report.counters_compared for report in reports)
    print(f"{len(reports)} programs, {outputs} outputs, {counters} counters: 0 mismatches")


@pytest.mark.parametrize("config", ROOMY, ids=lambda config: config.name)
def test_shipped_networks_and_random_programs_equal_the_model(config: Config) -> None:
    cases = [*shipped_cases(config), *random_cases(config, 30)]
    assert len(cases) > 25
    check(verify_cases(cases))


def test_programs_that_stream_and_spill_equal_the_model() -> None:
    cases = random_cases(CRAMPED, 60)
    assert len(cases) > 20
    assert any(case.program.scratch_bytes for case in cases)
    check(verify_cases(cases))
