"""Post-processing of one strip: W channels of a finished pixel are pooled, compared with thresholds and coded."""

from amaranth import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from setun_hw.arithmetic import Comparator, Maximum
from setun_hw.config import Config, Encoding
from setun_hw.engine.drain import digit_bits, pool_layout
from setun_hw.engine.layout import UNCHECKED, index_bits


def thresholds_layout(config: Config) -> data.ArrayLayout:
    """Thresholds of W channels: ``[channel][threshold]``."""
    return data.ArrayLayout(data.ArrayLayout(config.accumulator_width, config.thresholds), config.post)


def codes_layout(config: Config) -> data.ArrayLayout:
    """One digit of every code of W channels: ``[channel][level]``."""
    return data.ArrayLayout(data.ArrayLayout(2, config.thresholds + 1), config.post)


def result_layout(config: Config) -> data.StructLayout:
    """Fixed-point results of W channels: thresholds that were reached, and a digit."""
    return data.StructLayout(
        {
            "reached": data.ArrayLayout(config.thresholds, config.post),
            "planes": data.ArrayLayout(2, config.post),
        }
    )


def take_chunks(
    m: Module, config: Config, values: "data.View[data.ArrayLayout]", pool: "data.View[data.StructLayout]"
) -> Value:
    """The chunk of accumulators taken in this cycle; all are kept at the snapshot."""
    bits = values.as_value()
    chunk_bits = config.post * config.accumulator_width
    taken: Value = bits[:chunk_bits]
    if config.chunks > 1:
        # Chunk 0 comes straight from the accumulators, the others from here.
        waiting = Signal(chunk_bits * (config.chunks - 1), reset_less=True)
        taken = Mux(pool.snapshot, taken, waiting[:chunk_bits])
        with m.If(pool.snapshot):
            m.d.sync += waiting.eq(bits[chunk_bits:])
        with m.Elif(pool.takes):
            m.d.sync += waiting.eq(waiting[chunk_bits:])
    return taken


class StripPost(wiring.Component):
    """Post-processing of one strip; stages as in :class:`~setun_hw.engine.drain.DrainControl`.

    Members
    -------
    values : ``In(ArrayLayout(accumulator_width, M))``  the strip's accumulators
    fetch_chunk : ``In``                     stage *fetch*
    pool : ``In(pool_layout(config))``       stage *pool*
    thresholds : ``In(thresholds_layout(config))``, digit : ``In``  stage *compare*
    planes : ``In(1)``, codes : ``In(codes_layout(config))``        stage *write*; whether planes or codes are written
    digits : ``Out(2*W)``                    stage *write*

    With ``affine`` there are also

    affine : ``In(1)``, result : ``In(result_layout(config))``  stage *compare*: what takes the sums' place
    chunk : ``Out``                          stage *pool*: the chunk taken
    """

    values: "data.View[data.ArrayLayout]"
    fetch_chunk: Signal
    pool: "data.View[data.StructLayout]"
    thresholds: "data.View[data.ArrayLayout]"
    digit: Signal
    planes: Signal
    codes: "data.View[data.ArrayLayout]"
    digits: Signal
    affine: Signal
    result: "data.View[data.StructLayout]"
    chunk: Signal

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "values": In(data.ArrayLayout(config.accumulator_width, config.rows)),
                "fetch_chunk": In(index_bits(config.chunks)),
                "pool": In(pool_layout(config)),
                "thresholds": In(thresholds_layout(config)),
                "digit": In(digit_bits(config)),
                "planes": In(1),
                "codes": In(codes_layout(config)),
                "digits": Out(2 * config.post),
                **self._affine_members(config),
            }
        )

    @staticmethod
    def _affine_members(config: Config) -> dict[str, wiring.Member]:
        if not config.affine:
            return {}
        chunk = Out(config.post * config.accumulator_width)
        return {"affine": In(1), "result": In(result_layout(config)), "chunk": chunk}

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        pooled = self._pool(m)
        for channel in range(config.post):
            value = pooled.word_select(channel, config.accumulator_width)
            reached = Signal(config.thresholds, name=f"reached{channel}", reset_less=True)
            plane = Signal(2, name=f"plane{channel}", reset_less=True)
            for t in range(config.thresholds):
                m.submodules[f"threshold{channel}_{t}"] = comparator = Comparator(config)
                m.d.comb += [comparator.a.eq(value), comparator.b.eq(self.thresholds[channel][t])]
                m.d.sync += reached[t].eq(comparator.at_least)
            m.d.sync += plane.eq(self._whole_digits(value).word_select(self.digit, 2))
            if config.affine:
                with m.If(self.affine):
                    m.d.sync += [
                        reached.eq(self.result.reached[channel]),
                        plane.eq(self.result.planes[channel]),
                    ]
            # Thresholds do not fall, so the level is where the row of reached ones ends.
            above, below = Cat(1, reached), Cat(reached, 0)
            level_code = Signal(2, name=f"code{channel}")
            choice: Value = Cat(0, 0)
            for level in range(config.thresholds + 1):
                choice = choice | Mux(above[level] & ~below[level], self.codes[channel][level], 0)
            m.d.comb += level_code.eq(choice)
            m.d.comb += self.digits.word_select(channel, 2).eq(Mux(self.planes, plane, level_code))
        return m

    def _whole_digits(self, value: Value) -> Value:
        """An accumulator on an even number of bits."""
        if self.config.encoding is Encoding.TERNARY or self.config.accumulator_width % 2 == 0:
            return value
        return Cat(value, value[-1])

    def _pool(self, m: Module) -> Signal:
        """The chunk taken last, with the maximum over its pooling window so far."""
        config, pool, width = self.config, self.pool, self.config.accumulator_width
        chunk_bits = config.post * width
        taken = take_chunks(m, config, self.values, pool)
        if config.affine:
            m.d.comb += self.chunk.eq(taken)
        pooled, result = Signal(chunk_bits, reset_less=True), Signal(chunk_bits)
        before: Value = pooled
        if config.chunks > 1:
            m.submodules.memory = memory = Memory(
                shape=unsigned(chunk_bits), depth=config.chunks, init=[], attrs=UNCHECKED
            )
            reader, writer = memory.read_port(), memory.write_port()
            m.d.comb += [
                reader.addr.eq(self.fetch_chunk),
                writer.addr.eq(pool.chunk),
                writer.data.eq(result),
                writer.en.eq(pool.takes),
            ]
            # A pixel's only chunk may come every cycle, sooner than the memory gives it back.
            before = Mux(pool.single, pooled, reader.data)
        for channel in range(config.post):
            new = taken[channel * width : (channel + 1) * width]
            m.submodules[f"largest{channel}"] = largest = Maximum(config)
            m.d.comb += [
                largest.a.eq(new),
                largest.b.eq(before[channel * width : (channel + 1) * width]),
                result.word_select(channel, width).eq(Mux(pool.first, new, largest.larger)),
            ]
        with m.If(pool.takes):
            m.d.sync += pooled.eq(result)
        return pooled
