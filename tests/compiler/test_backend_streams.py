"""Features too large for the chip come and go in parts while layers compute; a stem computes no pixel twice."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from setun_compiler import CompileError, compile_network
from setun_compiler.backend.check_program import descriptors
from setun_compiler.network import Network, Pool
from setun_compiler.program import Program
from setun_hw.config import Config, Encoding
from setun_hw.descriptor import Compute, Opcode, Transfer
from tests.compiler.small_network import network as small_network
from tests.compiler.test_backend_pools import CONFIG, STEM, pooled
from tests.compiler.test_backend_random import check_meaning
from tests.fixed_point import affine_configs, fixed_point_networks

SLOW = settings(
    max_examples=60, deadline=None, suppress_health_check=list(HealthCheck)
)  # fmt: skip


def computes(program: Program) -> list[Compute]:
    """COMPUTE descriptors of the run list."""
    return [d for d in descriptors(program)[1] if isinstance(d, Compute)]


def in_lines(program: Program) -> Counter[Opcode]:
    """Transfers of lines."""
    return Counter(d.opcode for d in descriptors(program)[1] if isinstance(d, Transfer) and d.lines)


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize(("rows", "cols", "strips"), [(7, 6, 3), (8, 12, 2), (15, 4, 1), (28, 6, 7)])
def test_a_stem_computes_every_pixel_once(encoding: Encoding, batch: bool, rows: int, cols: int, strips: int) -> None:
    net = pooled(STEM, rows, cols)
    config = CONFIG.replace(encoding=encoding, strips=strips)
    program = compile_network(net, config, batch=batch)
    check_meaning(net, program)
    stem = [d for d in computes(program) if d.pool_carry]
    assert {d.residual_max for d in stem} == {0, 1}
    assert sum(d.pool_cols * d.out_cols for d in stem) == cols * len(stem)  # rows are not cut


@pytest.mark.parametrize("words", [480, 500, 600])
def test_rows_of_patches_are_cut_where_they_do_not_fit(words: int) -> None:
    net = pooled(STEM, 16, 16)
    config = CONFIG.replace(activation_words=words, residual_words=300)
    program = compile_network(net, config)
    stem = [d for d in computes(program) if d.pool_carry]
    assert len({d.out_cols for d in stem}) > 1
    check_meaning(net, program)


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("words", [64, 80])
def test_residuals_are_stored_and_fetched_in_parts(words: int, batch: bool) -> None:
    net = pooled(STEM, 22, 10)
    program = compile_network(net, CONFIG.replace(residual_words=words), batch=batch)
    moved = in_lines(program)
    assert moved[Opcode.STORE_RESIDUAL] > 1
    assert moved[Opcode.LOAD_RESIDUAL] > 1
    check_meaning(net, program)


@SLOW
@given(
    network=fixed_point_networks(),
    config=affine_configs(),
    batch=st.booleans(),
    share=st.sampled_from([0.3, 0.5, 0.8]),
    residual_share=st.sampled_from([0.2, 0.4, 0.7]),
)
def test_what_does_not_fit_comes_and_goes(
    network: Network, config: Config, batch: bool, share: float, residual_share: float
) -> None:
    roomy = computes(compile_network(network, config, batch=batch))
    words = max(max(d.in_end, d.out_end) for d in roomy)
    tight = replace(
        config, activation_words=max(2, int(share * words)),
        residual_words=max(2, int(residual_share * config.residual_words)),
    )  # fmt: skip
    try:
        program = compile_network(network, tight, batch=batch)
    except CompileError:
        assume(False)
        raise
    check_meaning(network, program)


@pytest.mark.parametrize("words", [40, 60])
def test_rows_that_are_pooled_come_in_pieces(words: int) -> None:
    """A 2 x 2 pool on patches: two rows of each piece, which other pieces lie between outside."""
    rng = np.random.default_rng(5)
    net = small_network(
        rng.integers(-1, 2, (4, 1, 3, 3)), (1, 26, 26), low=0, high=255, thresholds=np.tile([-200, 200], (4, 1)),
        codes=np.tile([-1, 0, 1], (4, 1)), pool=Pool(rows=2, cols=2, row_stride=2, col_stride=2),
    )  # fmt: skip
    config = Config(name="test", rows=4, lanes=9, strips=3, post=1, code_digits=1, activation_words=12 * 4 + words)
    program = compile_network(net, config)
    loads = [d for d in descriptors(program)[1] if isinstance(d, Transfer) and d.opcode is Opcode.LOAD_ACTIVATIONS]
    assert {d.lines for d in loads} == {1}
    assert len(loads) > 8
    check_meaning(net, program)
