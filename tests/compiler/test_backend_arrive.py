"""The input's arrival: lines, piece by piece, and several inputs in a run."""

import numpy as np
import pytest

from setun_compiler import CompileError, compile_network
from setun_compiler.backend.check_program import descriptors
from setun_compiler.network import Feature, Layer, Network, Output, Port, Threshold
from setun_compiler.program import Program
from setun_hw.config import Config
from setun_hw.descriptor import Compute, Opcode, Region, Transfer
from setun_sim.timeline import timeline

CONFIG = Config(name="test", rows=16, lanes=16, strips=4, post=4, axi_data_bits=128)


def chain(kernel: int, rows: int, channels: int = 16, low: int = -1, layers: int = 1) -> Network:
    """Square convolutions with padding on ``rows`` x 32 maps of integers ``low`` to 1."""
    features = {"f0": Feature(name="f0", channels=channels, rows=rows, cols=32, low=low, high=1)}
    found, pad = [], kernel // 2
    for k in range(layers):
        features[f"f{k + 1}"] = Feature(name=f"f{k + 1}", channels=16, rows=rows, cols=32, low=-1, high=1)
        weights = np.ones((16, features[f"f{k}"].channels, kernel, kernel), np.int64)
        found.append(
            Layer(
                name=f"layer{k}", source=f"f{k}", target=f"f{k + 1}", weights=weights, padding=(pad, pad, pad, pad),
                post=Threshold(thresholds=np.array([[-1, 2]] * 16), codes=np.array([[-1, 0, 1]] * 16)),
            )
        )  # fmt: skip
    last = features[f"f{layers}"]
    return Network(
        name="chain", port=Port(name="x", shape=features["f0"].shape, feature="f0", scale=1.0, zero=0),
        output=Output(name="y", feature=last.name, shape=last.shape), features=features, layers=tuple(found),
    )  # fmt: skip


def run(program: Program) -> list[Transfer | Compute]:
    return [d for d in descriptors(program)[1] if isinstance(d, Transfer | Compute)]


def inputs(program: Program) -> list[Transfer]:
    return [d for d in run(program) if isinstance(d, Transfer) and d.region == Region.INPUT]


def test_rows_of_strips_come_in_the_order_in_which_they_are_needed() -> None:
    """3 x 3 with padding, 8 rows a strip: the first output row also needs the last row, the strip above's."""
    program = compile_network(chain(3, 32), CONFIG)
    loads, row = inputs(program), 32
    assert all(d.lines for d in loads)
    # rows 0 and 1 and the last one before the first piece; then what each piece adds
    assert [(d.base // row, d.words // row) for d in loads[:2]] == [(0, 2), (7, 1)]
    assert sorted(d.offset for d in loads) == [d.base * 16 for d in sorted(loads, key=lambda d: d.base)]
    computes = [d for d in run(program) if isinstance(d, Compute)]
    assert computes[0].out_rows == 1
    assert sum(d.out_rows for d in computes) == 8
    assert [d.pad_top for d in computes] == [1 - d.out_base // row + computes[0].out_base // row for d in computes]


def test_a_piece_waits_for_its_own_rows_only() -> None:
    program = compile_network(chain(1, 32, low=-100), CONFIG)
    computes = [d for d in run(program) if isinstance(d, Compute)]
    assert len(computes) > 2
    before = [sum(isinstance(d, Transfer) for d in run(program)[: run(program).index(c)]) for c in computes]
    assert [c.after for c in computes] == before
    assert len(set(before)) == len(before)
    assert all(d.after == 0 for d in inputs(program))


def test_rows_arrive_while_others_are_computed() -> None:
    """A 1 x 1 kernel over 8 rows of 32 pixels of five digits a strip: as many lines to load as steps to take, and a
    result to write in every fifth cycle."""
    program = compile_network(chain(1, 32, low=-100), CONFIG.replace(post=16))
    loading = sum(d.words for d in inputs(program))
    assert loading == 8 * 32 * 5
    found = timeline(program)
    computing = sum(int(record[2]) for record in found.counters if record[7] == Opcode.COMPUTE)
    assert computing == loading
    last = max(int(record[1]) for record in found.counters if record[7] == Opcode.COMPUTE)
    assert last < 0.8 * (loading + computing)


def test_lines_that_share_a_beat_come_row_by_row_only_where_rows_fill_beats() -> None:
    """Lines of 4 x 32 bits, four to a beat of 512: a row of 31 pixels would end inside one."""
    config = CONFIG.replace(axi_data_bits=512)
    assert inputs(compile_network(chain(3, 32), config))[0].lines
    net = chain(3, 32)
    features = {name: Feature(name=name, channels=16, rows=32, cols=31, low=-1, high=1) for name in net.features}
    narrow = Network(
        name="narrow", port=Port(name="x", shape=(16, 32, 31), feature="f0", scale=1.0, zero=0),
        output=Output(name="y", feature="f1", shape=(16, 32, 31)), features=features, layers=net.layers,
    )  # fmt: skip
    program = compile_network(narrow, config)
    assert not any(d.lines for d in inputs(program))
    assert program.input.map.line_rows == 0


def test_the_next_rounds_input_comes_while_this_one_computes() -> None:
    """Rounds but the first wait for nothing at all: their input is there, their first layer queued."""
    program = compile_network(chain(3, 32, layers=6), CONFIG, rounds=3)
    assert (program.images, program.rounds, program.input_bytes % 3) == (3, 3, 0)
    found = timeline(program)
    order = [k for k, d in enumerate(found.descriptors) if isinstance(d, Compute)]
    starts, ends = found.counters[order, 0], found.counters[order, 1]
    assert len(order) == 18
    assert (starts[1:] == ends[:-1]).all()
    assert found.counters[order[1:], 3].sum() == 0
    stores = [d.offset for d in run(program) if isinstance(d, Transfer) and d.opcode is Opcode.STORE_ACTIVATIONS]
    assert stores == [k * program.output_bytes // 3 for k in range(3)]


def test_no_round_is_refused() -> None:
    with pytest.raises(CompileError, match=r"^rounds must be at least 1, not 0$"):
        compile_network(chain(3, 32), CONFIG, rounds=0)
