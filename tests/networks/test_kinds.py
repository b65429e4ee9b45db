"""Every kind of network whole: the compiled program on golden and simulator, and the float model's answers. The same
programs run on the Verilog in ``tests/verify/test_kinds.py``."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from setun_compiler import CompileError, host
from setun_compiler.backend.check_program import descriptors
from setun_hw.config import Encoding
from setun_hw.descriptor import Opcode, Transfer
from setun_sim import golden
from setun_sim.execute import execute
from tests.compiler.conftest import Array, float_outputs
from tests.networks.kinds import KINDS, Kind, recurrent
from tests.networks.programs import FIXED_POINT, PLAIN, program_of


@cache
def known(name: str) -> tuple[Kind, Array]:
    """A kind and the float model's outputs."""
    kind = KINDS[name]()
    return kind, float_outputs(kind.model, kind.samples)


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("name", KINDS)
def test_program_equals_golden_and_the_float_model(name: str, encoding: Encoding, tmp_path: Path) -> None:
    kind, expected = known(name)
    config = (FIXED_POINT if kind.fixed_point else PLAIN).replace(encoding=encoding)
    program = program_of(kind, config, tmp_path)
    regions = host.encode(program, kind.samples)
    outputs = execute(program, regions).outputs
    for region, output in zip(regions[:2], outputs[:2], strict=True):
        assert golden.run(program, region.tobytes()) == output.tobytes()
    found = host.decode(program, outputs, len(kind.samples))
    largest = np.abs(expected).max()
    assert found.shape == expected.shape
    assert expected.std(axis=0).max() > 1e-3 * largest  # the samples do not all mean the same
    if kind.error:
        assert np.abs(found - expected).mean() <= kind.error * largest
    else:
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * largest)


@pytest.mark.parametrize("name", [name for name, make in KINDS.items() if make().fixed_point])
def test_kinds_with_real_values_need_fixed_point(name: str, tmp_path: Path) -> None:
    """So that the table's column of configurations is true."""
    with pytest.raises(CompileError, match=r"need (affine|two_scale), but"):
        program_of(known(name)[0], PLAIN, tmp_path)


def test_a_recurrent_layer_stores_its_weights_and_parameters_once(tmp_path: Path) -> None:
    """Whatever the number of steps; on a memory of a few words they are also fetched once."""
    loads = set()
    for steps in (3, 6):
        program = program_of(recurrent(steps), PLAIN, tmp_path)
        loads.add(tuple((d.opcode, d.words) for d in descriptors(program)[0] if isinstance(d, Transfer)))
    assert len(loads) == 1
    kind = recurrent(6)
    program = program_of(kind, PLAIN.replace(weight_words=8, parameter_words=4), tmp_path)
    words = [d.words for d in descriptors(program)[1] if isinstance(d, Transfer) and d.opcode is Opcode.LOAD_WEIGHTS]
    assert len(words) < 6
    region = host.encode(program, kind.samples[:1])
    found = host.decode(program, np.frombuffer(golden.run(program, region[0].tobytes()), np.uint8)[None], 1)
    np.testing.assert_array_equal(found, float_outputs(kind.model, kind.samples[:1]))
