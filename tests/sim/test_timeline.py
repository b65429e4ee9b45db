"""Times worked out by hand from docs/machine.md, "Cycles"; the Verilog benches compare whole programs."""

import dataclasses

import numpy as np
import pytest

from setun_hw.config import Config
from setun_hw.descriptor import Compute, Descriptor, End, Opcode, Region, Transfer
from setun_sim.errors import SimulationError
from setun_sim.timeline import Timeline, timeline, times
from tests.sim.cases import CASES

#: 16 digits to a weight word, 4 to an activation word; a fetch of 16 beats ends in cycle 8 + 15, decoded 2 later
CONFIG = Config(name="hand", rows=4, lanes=4, strips=1, post=1, tree_registers=1)
DECODED = 25


def run(*descriptors: Descriptor, config: Config = CONFIG, latency: int = 8, interval: int = 1) -> Timeline:
    return times([*descriptors, End()], config, latency=latency, interval=interval)


def test_empty_list_takes_one_fetch() -> None:
    assert run().record(0) == {
        "start": 0, "end": DECODED, "beats": 0, "wait_compute": 0, "wait_memory": 0, "wait_port": 0, "words": 0,
        "opcode": 0,
    }  # fmt: skip
    assert run(latency=1).cycles == DECODED - 7
    assert run(interval=3).cycles == DECODED + 30
    assert run(config=CONFIG.replace(axi_data_bits=1024)).cycles == 10


@pytest.mark.parametrize(("chunks", "end", "wait"), [(1, 41, 0), (2, 42, 0), (4, 48, 4)])
def test_compute_issues_a_step_a_cycle_unless_the_drain_is_longer(chunks: int, end: int, wait: int) -> None:
    """Queued in 25, taken in 26, first step in 28; three pixels of two steps; writes begin 7 after the last step."""
    layer = Compute(kernel_cols=2, out_cols=3, chunks=4, last_chunks=chunks, groups=1)
    line = run(layer)
    assert line.record(0) == {
        "start": 26, "end": end, "steps": 6, "wait_load": 0, "wait_drain": wait, "wait_store": 0, "words": 3 * chunks,
        "opcode": 5,
    }  # fmt: skip
    assert line.fetch.tolist() == [0, 26]
    assert line.record(1)["end"] == 26 + DECODED


def test_loads_of_two_words_a_beat() -> None:
    """Address in 26, beat in 34, words written in 35 and 36."""
    line = run(Transfer(opcode=Opcode.LOAD_WEIGHTS, words=2))
    assert line.record(0) == {
        "start": 0, "end": 37, "beats": 1, "wait_compute": 0, "wait_memory": 8, "wait_port": 0, "words": 2, "opcode": 1
    }  # fmt: skip
    assert line.fetch.tolist() == [0, 37]


@pytest.mark.parametrize("offset", [0, 4000])
def test_bursts_follow_each_other_without_a_gap(offset: int) -> None:
    """300 beats of one word: two bursts, or three where 4 KiB are crossed; the last beat in 34 + 299."""
    config = CONFIG.replace(rows=8)
    line = run(Transfer(opcode=Opcode.LOAD_WEIGHTS, words=300, offset=offset), config=config)
    assert (line.record(0)["end"], line.record(0)["wait_memory"]) == (34 + 299 + 2, 8)


def test_latency_beyond_two_bursts_is_seen() -> None:
    """Bursts of 256 beats; the third address leaves when the first burst is through, in cycle 1026 + 255 + 1."""
    config = CONFIG.replace(rows=8)
    line = run(Transfer(opcode=Opcode.LOAD_WEIGHTS, words=768), config=config, latency=1000)
    assert line.fetch[1] == 1017 + 1 + 1000 + 255 + 1 + 1000 + 255 + 2


def test_store_of_one_word() -> None:
    """Read in 26, offered 3 later, response 8 after that."""
    line = run(
        Transfer(opcode=Opcode.STORE_ACTIVATIONS, region=Region.OUTPUT, words=1, rows=1, strip_rows=1, row_words=1)
    )
    assert line.record(0) == {
        "start": 0, "end": 38, "beats": 1, "wait_compute": 0, "wait_memory": 0, "wait_port": 0, "words": 1, "opcode": 4
    }  # fmt: skip


def test_store_takes_cycles_from_the_steps() -> None:
    """A load done long before lets both begin; each of the 40 words read costs one step its cycle."""
    store = Transfer(
        opcode=Opcode.STORE_ACTIVATIONS, region=Region.OUTPUT, words=40, rows=40, strip_rows=40, row_words=1
    )
    line = run(Compute(kernel_cols=100, out_cols=3), store)
    assert line.record(0)["wait_store"] == 40
    assert line.record(0)["end"] == 28 + 300 + 40 - 1 + 7 + 1


def test_waiting_for_groups_and_for_transfers_is_counted() -> None:
    """The second group waits for a load that waits for the first group."""
    load = Transfer(opcode=Opcode.LOAD_WEIGHTS, words=1, after=1)
    line = run(Compute(groups=2, after_step=1), load)
    compute, transfer = line.record(0), line.record(1)
    assert transfer["wait_compute"] == 0  # group 0 ends in 36, the load acts in 51
    assert transfer["end"] == 51 + 1 + 8 + 2
    assert compute["wait_load"] == transfer["end"] - 29
    assert compute["end"] == transfer["end"] + 8


def test_queue_has_room_only_once_a_descriptor_was_taken() -> None:
    layer = Compute(kernel_cols=200)
    line = run(*[layer] * 3, config=CONFIG.replace(queue_depth=1))
    ends = [line.record(k)["end"] for k in range(3)]
    assert ends == [235, 444, 653]
    assert line.begin.tolist() == [25, 51, 236, 653]


@pytest.mark.parametrize("name", CASES)
def test_parts_of_a_program_add_up(name: str) -> None:
    line = timeline(CASES[name].program(), latency=30, interval=2)
    for index, d in enumerate(line.descriptors):
        record = line.record(index)
        if isinstance(d, Compute):
            assert record["end"] - record["start"] >= record["steps"] + record["wait_drain"] + record["wait_store"]
        elif isinstance(d, Transfer):
            assert (record["beats"], record["words"]) == (d.beats, d.words)
        if not isinstance(d, End):
            assert record["end"] <= line.cycles
    assert line.cycles > timeline(CASES[name].program(), latency=1, interval=1).cycles


def test_a_million_words_take_no_time_to_speak_of() -> None:
    words = 1 << 20
    load = Transfer(opcode=Opcode.LOAD_WEIGHTS, words=words)
    line = run(load, config=CONFIG.replace(rows=8, weight_words=words))
    assert line.record(0)["end"] == 34 + words + 1


def test_dead_ends_and_impossible_memories_are_refused() -> None:
    load = Transfer(opcode=Opcode.LOAD_WEIGHTS, words=1)
    with pytest.raises(SimulationError, match=r"^descriptor 0 waits for ever$"):
        run(dataclasses.replace(load, after=1))
    with pytest.raises(SimulationError, match=r"^descriptor 1 waits for ever$"):
        run(Compute(after=1))
    with pytest.raises(SimulationError, match=r"^descriptor 2 waits for ever$"):
        run(Compute(after=1), Compute(), Compute(), load, config=CONFIG.replace(queue_depth=1))
    with pytest.raises(SimulationError, match=r"^memory latency must be at least 1, not 0$"):
        run(latency=0)
    with pytest.raises(SimulationError, match=r"^memory latency must be at most 65536, not 1000000000$"):
        run(latency=10**9)
    with pytest.raises(SimulationError, match=r"^memory interval must be at least 1, not 0$"):
        run(interval=0)


def test_counters_are_whole_numbers() -> None:
    assert run().counters.dtype == np.int64
