"""Every transfer moves the right words in exactly the cycles of docs/machine.md."""

import random
from collections.abc import Sequence

import pytest
from amaranth.sim import SimulatorContext

from setun_hw.config import Config
from setun_hw.descriptor import Compute, Descriptor, End, Mode, Opcode, Post, Region, Transfer
from setun_hw.engine.layout import compute_layout, slice_digits, weight_slices
from setun_hw.external import transfer_beats
from tests.hw.frontend.bench import BASES, LIST, Around, Bench, complete, packed_bytes, random_bytes, words_outside
from tests.hw.frontend.reference import Reference

SMALL = Config(
    name="small",
    rows=4,
    lanes=4,
    strips=2,
    post=2,
    thresholds=2,
    code_digits=1,
    activation_words=512,
    weight_words=64,
    parameter_words=64,
    axi_data_bits=64,
    counter_records=16,
)
CONFIGS = {
    "words share beats": SMALL,
    "24 bits in 64": SMALL.replace(lanes=12, rows=12, post=4, strips=3),
    "24 bits in 128": SMALL.replace(lanes=12, rows=4, post=4, axi_data_bits=128),
    "words of several beats": SMALL.replace(lanes=40, rows=4, post=4, thresholds=4, axi_data_bits=32, strips=1),
    "residual words share beats": SMALL.replace(affine=True, two_scale=True, residual_bits=12, residual_words=90),
    "residual words of several beats": SMALL.replace(
        affine=True, residual_bits=16, residual_words=300, axi_data_bits=32, post=4
    ),
    "one beat a descriptor": SMALL.replace(lanes=8, post=4, axi_data_bits=1024, axi_address_bits=40),
}
STORES = (Opcode.STORE_ACTIVATIONS, Opcode.STORE_RESIDUAL)
#: latency, interval, and how ragged the engine is (-1: not at all)
TIMINGS = [(1, 1, -1), (7, 1, 1), (3, 4, 2), (40, 1, -1)]


def load(config: Config, opcode: Opcode, words: int, **fields: int) -> Transfer:
    return complete(
        config,
        Transfer(
            opcode=opcode, words=words, packed=int(config.packed_weights and opcode is Opcode.LOAD_WEIGHTS), **fields
        ),
    )


def feature_map(config: Config, opcode: Opcode, rows: int, row_words: int, strip_rows: int, **fields: int) -> Transfer:
    return complete(
        config,
        Transfer(
            opcode=opcode, words=rows * row_words, rows=rows, row_words=row_words, strip_rows=strip_rows, **fields
        ),
    )


def lines(config: Config, opcode: Opcode, words: int, **fields: int) -> Transfer:
    return feature_map(config, opcode, 1, words, 1, lines=1, **fields)


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
        feature_map(
            config, Opcode.STORE_ACTIVATIONS, 3 * strips, 14, 3, base=11, offset=0xF80, region=Region.OUTPUT, after=2
        ),
        feature_map(config, Opcode.STORE_ACTIVATIONS, 1, 1, 1, base=0, offset=0x8000, region=Region.SCRATCH),
        feature_map(config, Opcode.LOAD_ACTIVATIONS, strips, 1, 1, base=511, offset=0x8000, region=Region.SCRATCH),
        load(config, Opcode.LOAD_WEIGHTS, 1, base=0, **offset, after=3),
        lines(config, Opcode.LOAD_ACTIVATIONS, 21, base=33, offset=0xE000, region=Region.INPUT),
        lines(config, Opcode.STORE_ACTIVATIONS, 19, base=31, offset=0xEF80, region=Region.SCRATCH),
        *(residuals(config) if config.affine else []),
        End(),
    ]


def residuals(config: Config) -> list[Descriptor]:
    """Those that only fixed-point configurations have."""
    strips, outside = config.strips, {"offset": 0x9F80, "region": Region.SCRATCH}
    return [
        Post(shift=31, low=-7, high=9, res_rows=3, res_cols=2, res_row_step=2, res_row_stride=17, res_out_end=5),
        Compute(affine=1, residual=1, residual_after=1, out_digits=2),
        feature_map(config, Opcode.LOAD_RESIDUAL, 3 * strips - 2, 11, 3, base=5, **outside),
        Compute(affine=1, no_array=1, residual_write=1, mode=Mode.NONE),
        feature_map(config, Opcode.STORE_RESIDUAL, 2 * strips, 15, 2, base=3, offset=0xBF40, region=Region.OUTPUT),
        Post(res_first=3),
        Post(shift1=9),
        feature_map(
            config, Opcode.STORE_RESIDUAL, 1, 1, 1, base=config.residual_words - 1, offset=0xD000, region=Region.OUTPUT
        ),
        Compute(),
        lines(config, Opcode.LOAD_RESIDUAL, 17, base=29, **outside),
        lines(config, Opcode.STORE_RESIDUAL, 13, base=7, offset=0xC800, region=Region.OUTPUT),
    ]


def pushed(config: Config, descriptors: Sequence[Descriptor]) -> list[dict[str, int]]:
    """What the engine gets: each COMPUTE with the settings of the SET_POST before it, 0 before the first."""
    settings: dict[str, int] = dict.fromkeys(Post.LAYOUT, 0)
    found = []
    for d in descriptors:
        if isinstance(d, Post):
            settings = {name: getattr(d, name) for name in Post.LAYOUT}
        elif isinstance(d, Compute):
            values = {**settings, **{name: int(getattr(d, name)) for name in Compute.LAYOUT}}
            found.append({name: values[name] for name in compute_layout(config).members})
    return found


def run_and_compare(
    config: Config, descriptors: Sequence[Descriptor], *, seed: int, latency: int, interval: int
) -> None:
    bench = Bench(config, seed=seed, latency=latency, interval=interval)
    bench.program(descriptors)
    for number, d in enumerate(descriptors):
        if isinstance(d, Transfer):
            size = transfer_beats(config, d) * config.axi_data_bits // 8
            source = BASES[Region(d.region)] + d.offset
            if d.opcode not in STORES:
                data = enumerate(random_bytes(size, number))
                bench.memory.fill(source, bytes(bench.memory.data.get(source + k, byte) for k, byte in data))
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
    assert bench.pushed == pushed(config, descriptors)

    # Words on chip, slices of weight words put together.
    digits, slices = slice_digits(config), weight_slices(config)
    arrived = [w for w in bench.written if w[1] != Opcode.LOAD_WEIGHTS or w[2] == slices - 1]
    assert [
        (cycle, kind, bank if kind in (Opcode.LOAD_ACTIVATIONS, Opcode.LOAD_RESIDUAL) else 0, at)
        for cycle, kind, bank, at, _ in arrived
    ] == [tuple(word) for word in trace.words_written]
    expected: list[tuple[Opcode, int]] = []
    for d in descriptors:
        if isinstance(d, Transfer) and d.opcode not in STORES:
            size = transfer_beats(config, d) * config.axi_data_bits // 8
            data = bench.memory.bytes(BASES[Region(d.region)] + d.offset, size)
            expected += [(d.opcode, word) for word in words_outside(config, d, data)]
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
        if isinstance(d, Transfer) and d.opcode in STORES:
            words = bench.residuals if d.opcode == Opcode.STORE_RESIDUAL else bench.banks
            size = transfer_beats(config, d) * config.axi_data_bits // 8
            outside = bench.memory.bytes(BASES[Region(d.region)] + d.offset, size)
            if d.lines:
                bits = config.residual_word_bits if d.opcode == Opcode.STORE_RESIDUAL else config.word_bits
                stored = [
                    sum(words[p, d.base + k] << bits * p for p in range(config.strips)) for k in range(d.words)
                ]
            else:
                stored = [
                    words[r // d.strip_rows, d.base + r % d.strip_rows * d.row_words + k]
                    for r in range(d.rows)
                    for k in range(d.row_words)
                ]
            assert words_outside(config, d, outside) == stored


@pytest.mark.parametrize("number", range(len(TIMINGS)))
def test_a_program_of_everything(number: int) -> None:
    latency, interval, seed = TIMINGS[number]
    run_and_compare(SMALL, program(SMALL), seed=seed, latency=latency, interval=interval)


@pytest.mark.parametrize("name", [name for name in CONFIGS if CONFIGS[name] is not SMALL])
def test_other_sizes_of_words_and_beats(name: str) -> None:
    latency, interval, seed = TIMINGS[len(name) % len(TIMINGS)]
    run_and_compare(CONFIGS[name], program(CONFIGS[name]), seed=seed, latency=latency, interval=interval)


@pytest.mark.parametrize(("latency", "interval"), [(1, 1), (300, 1)])
def test_runs_longer_than_the_longest_burst(latency: int, interval: int) -> None:
    config = SMALL.replace(axi_data_bits=32, lanes=16, post=4, strips=1, rows=4)
    descriptors: list[Descriptor] = [
        feature_map(config, Opcode.LOAD_ACTIVATIONS, 3, 170, 3, offset=0xF00, region=Region.INPUT),
        feature_map(config, Opcode.STORE_ACTIVATIONS, 3, 170, 3, offset=0xF80, region=Region.OUTPUT),
        End(),
    ]
    around = Around(-1).surroundings(latency, interval)
    bursts = Reference(config, around, [BASES[region] for region in Region]).run(descriptors, LIST)
    # To the 4 KiB boundary first, then 256 beats, then the rest.
    assert [beats for _, address, beats in bursts.reads if address >= BASES[Region.INPUT]] == [64, 256, 190]
    assert [beats for _, _, beats in bursts.writes] == [32, 256, 222]
    run_and_compare(config, descriptors, seed=-1, latency=latency, interval=interval)


@pytest.mark.parametrize("number", range(len(TIMINGS)))
@pytest.mark.parametrize("name", [name for name in CONFIGS if CONFIGS[name].affine])
def test_residual_words_at_any_pace(name: str, number: int) -> None:
    latency, interval, seed = TIMINGS[number]
    run_and_compare(CONFIGS[name], [*residuals(CONFIGS[name]), End()], seed=seed, latency=latency, interval=interval)


def test_a_residual_store_waits_for_post_processing_word_by_word() -> None:
    config = SMALL.replace(affine=True, residual_words=8)  # 24 bits a word, two of them in a beat
    bench = Bench(config)
    bench.around.known["residual_read"] = [int(cycle % 4 == 0) for cycle in range(100)]
    store = feature_map(config, Opcode.STORE_RESIDUAL, 1, 5, 1, region=Region.OUTPUT)
    bench.program([store, End()])

    async def process(ctx: SimulatorContext) -> None:
        await bench.start(ctx)
        await bench.until_idle(ctx)
        await bench.cycle(ctx)

    bench.simulate(process)
    # 16 beats from 1 to 16, act in 18, words wanted from 19 on; the last word is alone in its beat.
    assert bench.read == [(20, 0, 0), (24, 0, 1), (28, 0, 2), (32, 0, 3), (36, 0, 4)]
    assert bench.memory.given == [27, 35, 39]
    assert bench.records[0] == [0, 41, 3, 0, 0, 13, 5, Opcode.STORE_RESIDUAL]


def test_settings_do_not_outlive_their_program() -> None:
    config = SMALL.replace(affine=True, residual_words=8)
    bench = Bench(config)
    lists: dict[int, list[Descriptor]] = {LIST: [Post(shift=9, res_end=5), Compute(), End()], 0x800: [Compute(), End()]}
    for at, descriptors in lists.items():
        bench.program(descriptors, at=at)

    async def process(ctx: SimulatorContext) -> None:
        for at in lists:
            await bench.start(ctx, at=at)
            await bench.until_idle(ctx)

    bench.simulate(process)
    assert [(fields["shift"], fields["res_end"], fields["res_rows"]) for fields in bench.pushed] == [
        (9, 5, 1),
        (0, 0, 0),
    ]


def test_packed_weights_are_decoded() -> None:
    config = SMALL.replace(rows=6, lanes=20, packed_weights=True, post=2)
    d = load(config, Opcode.LOAD_WEIGHTS, 9, base=3)
    assert d.beats == 27  # 120 trits are 24 bytes
    data, words = packed_bytes(config, 9, 5)
    bench = Bench(config, latency=2)
    bench.program([d, End()], at=0x800)
    bench.memory.fill(BASES[Region.PROGRAM], data)

    async def process(ctx: SimulatorContext) -> None:
        await bench.start(ctx, at=0x800)
        await bench.until_idle(ctx)
        assert ctx.get(bench.dut.status.done)

    bench.simulate(process)
    digits = slice_digits(config)
    assert [(piece, address) for _, _, piece, address, _ in bench.written] == [
        (k, 3 + w) for w in range(9) for k in range(3)
    ]
    got = [sum(bench.written[3 * w + k][4] << 2 * digits * k for k in range(3)) for w in range(9)]
    assert [word & (1 << config.weight_word_bits) - 1 for word in got] == words


@pytest.mark.parametrize("seed", range(3))
def test_ragged_handshakes_lose_nothing(seed: int) -> None:
    config = [SMALL, CONFIGS["24 bits in 64"], CONFIGS["words of several beats"]][seed]
    deep = min(60, config.weight_words - 1)
    descriptors: list[Descriptor] = [
        feature_map(config, Opcode.LOAD_ACTIVATIONS, config.strips, 40, 1, offset=0xF80, region=Region.INPUT),
        feature_map(
            config, Opcode.STORE_ACTIVATIONS, 2 * config.strips, 31, 2, base=5, offset=0xF80, region=Region.OUTPUT
        ),
        load(config, Opcode.LOAD_PARAMETERS, deep, offset=0x4000),
        End(),
    ]
    bench = Bench(config, seed=seed, latency=3, ragged=random.Random(seed))
    bench.program(descriptors)
    bench.memory.fill(BASES[Region.INPUT], random_bytes(0x3000, seed))
    bench.memory.fill(BASES[Region.PROGRAM] + 0x4000, random_bytes(0x4000, seed))

    async def process(ctx: SimulatorContext) -> None:
        await bench.start(ctx)
        await bench.until_idle(ctx)
        assert ctx.get(bench.dut.status.done)
        assert bench.memory.quiet

    bench.simulate(process)
    loaded, stored, parameters, _ = descriptors
    assert isinstance(loaded, Transfer)
    assert isinstance(stored, Transfer)
    assert isinstance(parameters, Transfer)
    for d in (loaded, parameters):
        size = transfer_beats(config, d) * config.axi_data_bits // 8
        words = words_outside(config, d, bench.memory.bytes(BASES[Region(d.region)] + d.offset, size))
        assert [data for _, kind, _, _, data in bench.written if kind == d.opcode] == words
    size = transfer_beats(config, stored) * config.axi_data_bits // 8
    outside = bench.memory.bytes(BASES[Region.OUTPUT] + stored.offset, size)
    assert words_outside(config, stored, outside) == [
        bench.banks[b, 5 + k] for b in range(config.strips) for k in range(62)
    ]
    # Nothing beside the map was written, and what is unused of its beats is 0.
    assert bench.memory.bytes(BASES[Region.OUTPUT] + stored.offset - 8, 8) == b"\xee" * 8
    assert bench.memory.bytes(BASES[Region.OUTPUT] + stored.offset + size, 8) == b"\xee" * 8
