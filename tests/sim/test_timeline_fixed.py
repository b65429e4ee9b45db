"""Times of fixed-point post-processing and residual memories, worked out by hand from docs/machine.md, "Cycles"."""

from typing import Any

import pytest

from setun_hw.config import Config
from setun_hw.descriptor import Compute, Descriptor, End, Mode, Opcode, Post, Region, Transfer
from setun_sim.timeline import Timeline, timeline, times
from tests.sim.fixed_cases import FIXED_CASES

#: a fetch takes 25 cycles; residual words of 12 bits, 5 to a beat; a pixel is written 18 cycles after its last step,
#: its residual read 6 after
CONFIG = Config(
    name="hand", rows=4, lanes=4, strips=1, post=1, tree_registers=1, affine=True, two_scale=True, residual_words=128
)
#: SET_POST ends in 26, the COMPUTE behind it is queued in 51, taken in 52, its first step issues in 54
FIRST = 54
#: the transfer behind both is fetched from 52 on and begins in 77
BEGIN = 77


def run(*descriptors: Descriptor) -> Timeline:
    return times([*descriptors, End()], CONFIG, latency=8, interval=1)


def layer(**fields: Any) -> Compute:
    """One step a pixel, one chunk, 100 pixels."""
    return Compute(**{"affine": 1, "out_cols": 100, **fields})


def load(opcode: Opcode) -> Transfer:
    return Transfer(opcode=opcode, region=Region.INPUT, words=3, rows=1, strip_rows=1, row_words=3)


def test_settings_take_a_cycle() -> None:
    line = run(Post())
    assert line.record(0) == {
        "start": 0, "end": 26, "beats": 0, "wait_compute": 0, "wait_memory": 0, "wait_port": 0, "words": 0, "opcode": 8
    }  # fmt: skip
    assert line.fetch.tolist() == [0, 26]
    assert line.record(1)["end"] == 26 + 25


@pytest.mark.parametrize(("mode", "words"), [(Mode.THRESHOLD, 6), (Mode.NONE, 0)])
def test_a_window_of_three_words_takes_two_more_cycles_a_chunk(mode: Mode, words: int) -> None:
    """Two chunks of 1 + 2 cycles: pixels 6 cycles apart, the last word 18 + 6 - 1 after the last step."""
    line = run(Post(res_cols=3), layer(mode=mode, out_cols=3, chunks=2, last_chunks=2, residual=1))
    assert line.record(1) == {
        "start": 52, "end": FIRST + 12 + 18 + 6, "steps": 3, "wait_load": 0, "wait_drain": 10, "wait_store": 0,
        "words": words, "opcode": 5,
    }  # fmt: skip


def test_settings_of_a_window_matter_with_residual_only() -> None:
    assert run(Post(res_cols=3), layer(residual_write=1)).record(1)["wait_drain"] == 0


def test_two_scales_take_every_step_twice() -> None:
    line = run(Post(), layer(two_scale=1, kernel_cols=3, in_digits=2))
    assert line.record(1)["steps"] == 100 * 2 * 3 * 2


@pytest.mark.parametrize(
    ("settings", "fields", "opcode", "last", "waits"),
    [
        # every cycle from 60 to 159 reads a residual
        ({}, {"residual": 1}, Opcode.STORE_RESIDUAL, 162, 82),
        ({"res_cols": 2}, {"residual": 1, "out_cols": 50}, Opcode.STORE_RESIDUAL, 162, 82),
        # the even ones: 79, 81 and 83 are free
        ({}, {"residual": 1, "out_digits": 2}, Opcode.STORE_RESIDUAL, 83, 3),
        ({}, {"out_digits": 2, "residual_write": 1}, Opcode.STORE_RESIDUAL, 80, 0),
        # residuals are written in 72, 74 ..., in that of the first digit plane; 87, 89 and 91 are free
        ({}, {"residual_write": 1, "out_digits": 2}, Opcode.LOAD_RESIDUAL, 91, 2),
        ({}, {"residual_write": 1, "mode": Mode.NONE, "out_cols": 18}, Opcode.LOAD_RESIDUAL, 92, 3),
        ({}, {"residual": 1}, Opcode.LOAD_RESIDUAL, 89, 0),
        # banks are written in 72, 73 ...; with a window of two in 73, 75 ...
        ({}, {"residual_write": 1, "out_cols": 18}, Opcode.LOAD_ACTIVATIONS, 92, 3),
        ({"res_cols": 2}, {"residual": 1}, Opcode.LOAD_ACTIVATIONS, 92, 3),
        ({}, {"residual_write": 1, "mode": Mode.NONE}, Opcode.LOAD_ACTIVATIONS, 89, 0),
    ],
)
def test_post_processing_comes_first(
    settings: dict[str, Any], fields: dict[str, Any], opcode: Opcode, last: int, waits: int
) -> None:
    """Three words: reads can begin in 78 (12 cycles before the end), loads' beat comes in 86, words from 87 on."""
    line = run(Post(**settings), layer(**fields), load(opcode))
    record = line.record(2)
    stores = opcode is Opcode.STORE_RESIDUAL
    assert line.begin[2] == BEGIN
    assert (record["end"], record["wait_port"]) == (last + 12 if stores else last + 1, waits)
    assert (record["beats"], record["words"], record["wait_memory"]) == (1, 3, 0 if stores else 8)
    assert line.record(1)["wait_store"] == 0


def test_pooling_windows_read_residuals_for_every_pixel_and_write_once() -> None:
    """Pixels at 54 .. 253: reads 60 .. 259; writes follow every second one, in 73, 75 ..."""
    pooled = layer(pool_cols=2, residual=1, residual_write=1)
    assert run(Post(), pooled, load(Opcode.STORE_RESIDUAL)).record(2)["wait_port"] == 260 - BEGIN - 1
    assert run(Post(), pooled, load(Opcode.LOAD_RESIDUAL)).record(2)["wait_port"] == 3


@pytest.mark.parametrize("name", FIXED_CASES)
def test_parts_of_a_program_add_up(name: str) -> None:
    program = FIXED_CASES[name].program()
    line = timeline(program, latency=30, interval=2)
    for index, d in enumerate(line.descriptors):
        record = line.record(index)
        if isinstance(d, Compute):
            assert record["end"] - record["start"] >= record["steps"] + record["wait_drain"] + record["wait_store"]
        elif isinstance(d, Transfer):
            assert (record["beats"], record["words"]) == (d.beats, d.words)
        if not isinstance(d, End):
            assert record["end"] <= line.cycles
    assert line.cycles > timeline(program, latency=1, interval=1).cycles
