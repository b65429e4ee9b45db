"""Runs descriptors on the engine in Amaranth's simulator and compares every cycle with the reference."""

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from amaranth.sim import Simulator, SimulatorContext

from setun_hw.codec import encode_accumulator, pack_word
from setun_hw.config import Config
from setun_hw.descriptor import Compute, Post
from setun_hw.engine import Engine
from setun_hw.engine.layout import compute_layout, slice_digits, weight_slices
from setun_hw.timing import STORE_LATENCY
from tests.hw.engine.fixed_reference import Residuals
from tests.hw.engine.reference import Banks, Memories, Outcome, code_of_digit, run


def word_of(codes: Sequence[int]) -> int:
    """A word of two-bit codes, lane 0 lowest."""
    return sum(code << 2 * lane for lane, code in enumerate(codes))


def parameter_word(config: Config, memories: Memories, index: int) -> int:
    """Bits of a parameter word."""
    bits, low = 0, 0
    for channel in range(config.post):
        for threshold in memories.thresholds[index][channel]:
            if index >= memories.fixed_from:
                bits |= (threshold & (2 << config.residual_bits) - 1) << low
            else:
                bits |= encode_accumulator(config, threshold) << low
            low += config.accumulator_width
        for code in memories.codes[index][channel]:
            for _ in range(config.code_digits):
                digit = (code - config.encoding.lowest) % config.encoding.radix + config.encoding.lowest
                bits |= code_of_digit(config, digit) << low
                code = (code - digit) // config.encoding.radix
                low += 2
        for name, width in config.affine_parameters.items():
            bits |= (memories.parameters[index][channel][name] & (1 << width) - 1) << low
            low += width
    return bits


def payload(config: Config, d: Compute, post: Post | None = None) -> dict[str, int]:
    """A descriptor's fields as the engine takes them, with those of the SET_POST before it."""
    values = {**(fields_of(post or Post())), **fields_of(d)}
    return {name: values[name] for name in compute_layout(config).members}


def fields_of(record: Compute | Post) -> dict[str, int]:
    """All fields by name, derived ones included."""
    return {name: int(getattr(record, name)) for name in record.LAYOUT}


def residual_word(config: Config, values: Sequence[int]) -> int:
    """A residual word's bits."""
    return sum((value & (1 << config.residual_bits) - 1) << config.residual_bits * k for k, value in enumerate(values))


def load_of(config: Config, banks: Sequence[int], address: int, words: Sequence[int]) -> dict[str, Any]:
    """A load of one bank's word, or of a line."""
    own = dict(zip(banks, words, strict=True))
    mask = sum(1 << bank for bank in banks)
    return {"banks": mask, "address": address, "words": [own.get(bank, words[0]) for bank in range(config.strips)]}


def some_banks(config: Config, rng: random.Random) -> list[int]:
    """Those that a load writes: one of them, or all."""
    return [rng.randrange(config.strips)] if rng.random() < 0.5 else list(range(config.strips))


async def fill(
    ctx: SimulatorContext, engine: Engine, banks: Banks, memories: Memories, residuals: Residuals | None = None
) -> None:
    """Write all memories through the engine's ports."""
    config = engine.config
    dut: Any = engine
    digits = slice_digits(config)
    ctx.set(dut.weight_write.enable, 1)
    for address, rows in enumerate(memories.weights):
        word = pack_word(config.encoding, [digit for row in rows for digit in row])
        for k in range(weight_slices(config)):
            part = word >> 2 * digits * k & (1 << 2 * digits) - 1
            ctx.set(dut.weight_write, {"enable": 1, "address": address, "slice": k, "data": part})
            await ctx.tick()
    ctx.set(dut.weight_write.enable, 0)
    for address in range(config.parameter_words):
        ctx.set(
            dut.parameter_write, {"enable": 1, "address": address, "data": parameter_word(config, memories, address)}
        )
        await ctx.tick()
    ctx.set(dut.parameter_write.enable, 0)
    ctx.set(dut.load.valid, 1)
    for bank, words in enumerate(banks):
        for address, codes in enumerate(words):
            ctx.set(dut.load.payload, load_of(config, [bank], address, [word_of(codes)]))
            await ctx.tick()
    ctx.set(dut.load.valid, 0)
    for bank, elements in enumerate(residuals or []):
        ctx.set(dut.residual_load.valid, 1)
        for address, values in enumerate(elements):
            data = residual_word(config, values)
            ctx.set(dut.residual_load.payload, load_of(config, [bank], address, [data]))
            await ctx.tick()
        ctx.set(dut.residual_load.valid, 0)


class Plan:
    """What happens around the engine: descriptors offered, transfers completed, banks read and written."""

    def __init__(
        self,
        rng: random.Random,
        descriptors: Sequence[Compute],
        *,
        stores: float,
        loads: float,
        gap: int,
        transfer_gap: int,
        posts: Sequence[Post] = (),
    ) -> None:
        self.posts = [*posts, *[Post()] * (len(descriptors) - len(posts))]
        self.descriptors = list(descriptors)
        self.offers = [0]
        for _ in descriptors[1:]:
            self.offers.append(self.offers[-1] + rng.randint(0, gap))
        needed = max(d.after + (d.groups - 1) * d.after_step for d in descriptors)
        self.transfers = [0]
        for _ in range(needed - 1):
            self.transfers.append(self.transfers[-1] + rng.randint(1, 1 + transfer_gap))
        self._rng, self._stores, self._loads = rng, stores, loads
        self._store_cycles: dict[int, bool] = {}

    def transfers_done(self, cycle: int) -> int:
        """Transfers complete in a cycle."""
        return bisect_right(self.transfers, cycle)

    def stores(self, cycle: int) -> bool:
        """Whether a store reads the banks in a cycle."""
        return self._store_cycles.setdefault(cycle, self._rng.random() < self._stores)

    def loads(self) -> bool:
        """Whether a load has a word to write."""
        return self._rng.random() < self._loads


def expect(
    config: Config, plan: Plan, banks: Banks, memories: Memories, residuals: Residuals
) -> tuple[list[Outcome], list[int]]:
    """Outcomes of all descriptors, and the cycles in which they are pushed; ``banks`` and ``residuals`` are changed."""
    outcomes: list[Outcome] = []
    pushes: list[int] = []
    for number, d in enumerate(plan.descriptors):
        push = max(plan.offers[number], pushes[-1] + 1 if pushes else 0)
        if number >= config.queue_depth:  # room from the cycle after an earlier one was taken
            push = max(push, outcomes[number - config.queue_depth].record.start + 1)
        start = max(push + 1, outcomes[-1].record.end if outcomes else 0)
        pushes.append(push)
        outcomes.append(
            run(
                config,
                d,
                banks,
                memories,
                start=start,
                transfers_done=plan.transfers_done,
                stored=plan.stores,
                post=plan.posts[number],
                residuals=residuals,
            )
        )
    return outcomes, pushes


class ResidualTraffic:
    """Loads and stores of residual words beside the layers; words as they are and as they must end up."""

    def __init__(self, config: Config, outcomes: Sequence[Outcome], before: Residuals, after: Residuals) -> None:
        self.config, self.before, self.after = config, before, after
        self.writes = {write.cycle: write for outcome in outcomes for write in outcome.residual_writes}
        self.reads = {cycle for outcome in outcomes for cycle in outcome.residual_reads}
        self.load: tuple[list[int], int, list[list[int]]] | None = None
        self.store: tuple[int, int] | None = None
        self.expected: dict[int, list[int]] = {}

    def drive(self, ctx: SimulatorContext, dut: Any, plan: Plan, rng: random.Random, cycle: int) -> None:
        """Offer what there is to offer."""
        limit = 1 << self.config.residual_bits - 1
        if self.load is None and plan.loads():
            banks, address = some_banks(self.config, rng), self.config.residual_words - rng.randint(1, 4)
            values = [[rng.randrange(-limit, limit) for _ in range(self.config.post)] for _ in banks]
            self.load = banks, address, values
            words = [residual_word(self.config, elements) for elements in values]
            ctx.set(dut.residual_load.payload, load_of(self.config, banks, address, words))
        if self.store is None and plan.stores(cycle):
            self.store = (rng.randrange(self.config.strips), rng.randrange(self.config.residual_words))
            ctx.set(dut.residual_store.payload, dict(zip(("bank", "address"), self.store, strict=True)))
        ctx.set(dut.residual_load.valid, self.load is not None)
        ctx.set(dut.residual_store.valid, self.store is not None)

    def observe(self, ctx: SimulatorContext, dut: Any, cycle: int) -> None:
        """Compare handshakes and words read; what this cycle writes can be read from the next one on."""
        where = f"cycle {cycle}"
        assert ctx.get(dut.residual_load.ready) == (cycle not in self.writes), where
        assert ctx.get(dut.residual_store.ready) == (cycle not in self.reads), where
        if cycle in self.expected:
            assert [ctx.get(word) for word in dut.residual_stored] == self.expected[cycle], where
        if self.store is not None and cycle not in self.reads:
            bank, address = self.store
            found = [residual_word(self.config, memory[address]) for memory in self.before]
            self.expected[cycle + STORE_LATENCY] = [found[bank], *found[1:]]
            self.store = None
        if cycle in self.writes:
            for p, values in enumerate(self.writes[cycle].values):
                self.before[p][self.writes[cycle].address] = values
        elif self.load is not None:
            banks, address, values = self.load
            for bank, elements in zip(banks, values, strict=True):
                self.before[bank][address] = self.after[bank][address] = elements
            self.load = None

    async def compare(self, ctx: SimulatorContext, dut: Any) -> None:
        """All words at the end."""
        ctx.set(dut.residual_load.valid, 0)
        ctx.set(dut.residual_store.valid, 1)
        for bank in range(self.config.strips):
            for address in range(self.config.residual_words + STORE_LATENCY):
                ctx.set(
                    dut.residual_store.payload, {"bank": bank, "address": min(address, self.config.residual_words - 1)}
                )
                if (read := address - STORE_LATENCY) >= 0:
                    expected = residual_word(self.config, self.after[bank][read])
                    assert ctx.get(dut.residual_stored[0]) == expected, f"residual memory {bank} word {read}"
                await ctx.tick()


def check(
    config: Config, plan: Plan, banks: Banks, memories: Memories, seed: int, residuals: Residuals | None = None
) -> list[Outcome]:
    """Run a plan; every output is compared in every cycle, and the memories at the end.

    Loads go to the last four words of the memories, which descriptors must not use.
    """
    residuals = residuals or []
    engine = Engine(config)
    dut: Any = engine
    before = [[list(codes) for codes in bank] for bank in banks]
    residuals_before = [[list(values) for values in memory] for memory in residuals]
    outcomes, pushes = expect(config, plan, banks, memories, residuals)
    traffic = ResidualTraffic(config, outcomes, residuals_before, residuals) if config.affine else None
    end = outcomes[-1].record.end
    writes = {write.cycle: write for outcome in outcomes for write in outcome.writes}
    groups = [cycle for outcome in outcomes for cycle in outcome.groups]
    records = {outcome.record.end: outcome.record for outcome in outcomes}
    busy = [(push + 1, outcome.record.end) for push, outcome in zip(pushes, outcomes, strict=True)]
    rng = random.Random(seed)

    async def bench(ctx: SimulatorContext) -> None:
        await fill(ctx, engine, before, memories, residuals_before)
        ctx.set(dut.clear, 1)
        await ctx.tick()
        ctx.set(dut.clear, 0)
        pushed = 0
        load: tuple[list[int], int, list[list[int]]] | None = None
        expected_words: dict[int, list[int]] = {}
        for cycle in range(end + STORE_LATENCY + 3):
            ctx.set(dut.now, cycle)
            ctx.set(dut.transfers_done, plan.transfers_done(cycle))
            offered = pushed < len(plan.descriptors) and plan.offers[pushed] <= cycle
            ctx.set(dut.descriptor.valid, offered)
            if offered:
                d = plan.descriptors[pushed]
                ctx.set(dut.descriptor.payload, payload(config, d, plan.posts[pushed]))
            if traffic:
                traffic.drive(ctx, dut, plan, rng, cycle)
            if plan.stores(cycle):
                bank, address = rng.randrange(config.strips), rng.randrange(config.activation_words)
                ctx.set(dut.store.payload, {"bank": bank, "address": address})
                expected_words[cycle + STORE_LATENCY] = [
                    word_of(before[(bank + p) % config.strips][address]) for p in range(config.strips)
                ]
            ctx.set(dut.store.valid, plan.stores(cycle))
            if load is None and plan.loads():
                own = some_banks(config, rng)
                codes = [[code_of_digit(config, rng.randint(-1, 1)) for _ in range(config.lanes)] for _ in own]
                load = own, config.activation_words - rng.randint(1, 4), codes
                ctx.set(dut.load.payload, load_of(config, own, load[1], [word_of(word) for word in codes]))
            ctx.set(dut.load.valid, load is not None)

            where = f"cycle {cycle}"
            assert not ctx.get(dut.error.valid), f"{where}: error {ctx.get(dut.error.code)}"
            assert ctx.get(dut.groups_done) == bisect_right(groups, cycle), where
            assert ctx.get(dut.idle) == (not any(first <= cycle < last for first, last in busy)), where
            assert ctx.get(dut.load.ready) == (cycle not in writes), where
            assert ctx.get(dut.record.valid) == (cycle in records), where
            if cycle in records:
                found = {name: ctx.get(dut.record[name]) for name in asdict(records[cycle])}
                assert found == asdict(records[cycle]), where
            if cycle in expected_words:
                assert [ctx.get(word) for word in dut.stored] == expected_words[cycle], where
            if offered and ctx.get(dut.descriptor.ready):
                assert pushes[pushed] == cycle, where
                pushed += 1

            if traffic:
                traffic.observe(ctx, dut, cycle)

            # What this cycle writes can be read from the next one on.
            if cycle in writes:
                write = writes[cycle]
                for p in range(config.strips):
                    before[p][write.address][write.first_lane : write.first_lane + config.post] = write.codes[p]
            elif load is not None:
                own, address, codes = load
                for bank, word in zip(own, codes, strict=True):
                    before[bank][address], banks[bank][address] = list(word), list(word)
                load = None
            await ctx.tick()
        assert pushed == len(plan.descriptors)
        ctx.set(dut.load.valid, 0)
        ctx.set(dut.store.valid, 1)
        for bank in range(config.strips):
            for address in range(config.activation_words + STORE_LATENCY):
                if address < config.activation_words:
                    ctx.set(dut.store.payload, {"bank": bank, "address": address})
                if address >= STORE_LATENCY:
                    word = ctx.get(dut.stored[0])
                    assert word == word_of(banks[bank][address - STORE_LATENCY]), (
                        f"bank {bank} word {address - STORE_LATENCY}"
                    )
                await ctx.tick()
        if traffic:
            ctx.set(dut.store.valid, 0)
            await traffic.compare(ctx, dut)

    simulator = Simulator(engine)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return outcomes
