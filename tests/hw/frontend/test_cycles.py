"""Every transfer moves the right words in exactly the cycles of docs/machine.md."""

from collections.abc import Sequence

import pytest
from amaranth.sim import SimulatorContext

from setun_hw.config import Config
from setun_hw.descriptor import Compute, Descriptor, End, Opcode, Region, Transfer
from setun_hw.engine.layout import slice_digits, weight_slices
from setun_hw.external import transfer_beats
from tests.hw.frontend.bench import BASES, Bench, complete, packed_bytes, random_bytes, words_outside

SMALL = Config(
    name="small", rows=4, lanes=4, strips=2, post=2, thresholds=2, code_digits=1, activation_words=512, weight_words=64,
    parameter_words=64, axi_data_bits=64, counter_records=16,
)  # fmt: skip
CONFIGS = {
    "words share beats": SMALL,
    "24 bits in 64": SMALL.replace(lanes=12, rows=12, post=4, strips=3),
    "24 bits in 128": SMALL.replace(lanes=12, rows=4, post=4, axi_data_bits=128),
    "words of several beats": SMALL.replace(lanes=40, rows=4, post=4, thresholds=4, axi_data_bits=32, strips=1),
    "one beat a descriptor": SMALL.replace(lanes=8, post=4, axi_data_bits=1024, axi_address_bits=40),
}
TIMINGS = [(1, 1), (7, 1), (3, 4), (40, 2)]


def load(config: Config, opcode: Opcode, words: int, **fields: int) -> Transfer:
    return complete(config, Transfer(opcode=opcode, words=words, packed=int(
        config.packed_weights and opcode is Opcode.LOAD_WEIGHTS), **fields))  # fmt: skip


def feature_map(config: Config, opcode: Opcode, rows: int, row_words: int, strip_rows: int, **fields: int) -> Transfer:
    return complete(config, Transfer(
        opcode=opcode, words=rows * row_words, rows=rows, row_words=row_words, strip_rows=strip_rows, **fields))  # fmt: skip


def program(config: Config) -> list[Descriptor]:
    """Every kind of descriptor, and again behind one another."""
    strips, deep = config.strips, min(60, config.weight_words - 1)
    offset = {"offset": 0x10F80, "region": Region.PROGRAM}
    return [
        load(config, Opcode.LOAD_WEIGHTS, deep, base=1, **offset),
        Compute(groups=3, pad_top=-2, in_digits=5),
        load(config, Opcode.LOAD_PARAMETERS, 33, base=7, offset=0x12000, after=1),
        feature_map(config, Opcode.LOAD_ACTIVATIONS, 2 * strips - 1, 13, 2, base=9, offset=0x780, region=Region.INPUT),
        Compute(groups=1),
        Compute(groups=2, after=3),
        feature_map(config, Opcode.STORE_ACTIVATIONS, 3 * strips, 14, 3, base=11, offset=0xF80, region=Region.OUTPUT, after=2),
        feature_map(config, Opcode.STORE_ACTIVATIONS, 1, 1, 1, base=0, offset=0x8000, region=Region.SCRATCH),
        feature_map(config, Opcode.LOAD_ACTIVATIONS, strips, 1, 1, base=511, offset=0x8000, region=Region.SCRATCH),
        load(config, Opcode.LOAD_WEIGHTS, 1, base=0, **offset, after=3),
        End(),
    ]


def run_and_compare(config: Config, descriptors: Sequence[Descriptor], *, seed: int, latency: int, interval: int) -> None:
    bench = Bench(config, seed=seed, latency=latency, interval=interval)
    bench.program(descriptors)
    expected: list[tuple[Opcode, int, int, int]] = []
    for number, d in enumerate(descriptors):
        if isinstance(d, Transfer):
            size = transfer_beats(config, d) * config.axi_data_bits // 8
            source = BASES[Region(d.region)] + d.offset
            if d.opcode != Opcode.STORE_ACTIVATIONS:
                bench.memory.fill(source, bytes(bench.memory.data.get(source + k, v) for k, v in enumerate(random_bytes(size, number))))
    trace = bench.reference(descriptors)

    async def process(ctx: SimulatorContext) -> None:
        await bench.start(ctx)
        await bench.until_idle(ctx)
        await bench.cycle(ctx)  # END's record
        assert ctx.get(bench.dut.status.done)
        assert ctx.get(bench.dut.status.code) == 0
        assert ctx.get(bench.dut.status.cycles) == trace.end
        assert bench.memory.quiet

    bench.simulate(process)
    assert bench.memory.reads == trace.reads
    assert bench.memory.taken == trace.beats_taken
    assert bench.memory.writes == trace.writes
    assert bench.read == trace.words_read
    assert bench.memory.given == trace.beats_given
    assert bench.pushes == trace.pushes
    records = {number: record for number, record in enumerate(trace.records) if record is not None}
    assert bench.records == records
    computes = [d for d in descriptors if isinstance(d, Compute)]
    assert bench.pushed == [{name: getattr(d, name) for name in Compute.LAYOUT} for d in computes]

    # Words on chip, slices of weight words put together.
    digits, slices = slice_digits(config), weight_slices(config)
    arrived = [w for w in bench.written if w[1] != Opcode.LOAD_WEIGHTS or w[2] == slices - 1]
    assert [(cycle, kind, bank if kind == Opcode.LOAD_ACTIVATIONS else 0, at) for cycle, kind, bank, at, _ in arrived] == [
        tuple(word) for word in trace.words_written
    ]
    expected = []
    for d in descriptors:
        if isinstance(d, Transfer) and d.opcode != Opcode.STORE_ACTIVATIONS:
            size = transfer_beats(config, d) * config.axi_data_bits // 8
            data = bench.memory.bytes(BASES[Region(d.region)] + d.offset, size)
            expected += [(d.opcode, word) for word in words_outside(config, d, data)]  # type: ignore[misc]
    got, partial = [], 0
    for _, kind, piece, _, data in bench.written:
        if kind != Opcode.LOAD_WEIGHTS:
            got.append((kind, data))
            continue
        partial |= data << 2 * digits * piece
        if piece == slices - 1:
            got.append((kind, partial & (1 << config.weight_word_bits) - 1))
            partial = 0
    assert got == expected
    for d in descriptors:
        if isinstance(d, Transfer) and d.opcode == Opcode.STORE_ACTIVATIONS:
            size = transfer_beats(config, d) * config.axi_data_bits // 8
            outside = bench.memory.bytes(BASES[Region(d.region)] + d.offset, size)
            places = [(r // d.strip_rows, d.base + r % d.strip_rows * d.row_words + k)
                      for r in range(d.rows) for k in range(d.row_words)]  # fmt: skip
            assert words_outside(config, d, outside) == [bench.banks[place] for place in places]


@pytest.mark.parametrize(("latency", "interval"), TIMINGS)
@pytest.mark.parametrize("name", CONFIGS)
def test_a_program_of_everything(name: str, latency: int, interval: int) -> None:
    config = CONFIGS[name]
    run_and_compare(config, program(config), seed=latency if interval > 1 else -1, latency=latency, interval=interval)
