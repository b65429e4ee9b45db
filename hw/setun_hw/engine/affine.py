"""Fixed-point post-processing of one strip: two multiplications, a residual operand, pooling and clamping."""

from amaranth import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config
from setun_hw.engine.binary import shift_right, to_binary
from setun_hw.engine.delay import delayed
from setun_hw.engine.layout import UNCHECKED, index_bits

#: channel parameters by the stage that uses them; the offsets come with half a unit of what is dropped behind them
SLOPE, PIVOT, OFFSETS = ("m", "m2", "r", "b"), ("pivot", "m0", "m1"), ("b0", "b1")


def control_layout(config: Config) -> data.StructLayout:
    """What happens in each stage, and the settings; stages are named by cycles after the one in which a value fires."""
    return data.StructLayout(
        {
            "takes": 1,  # 0: the chunk's accumulators are offered
            "window_begins": 1,  # 2: the residual word is the first of its window
            "read_chunk": index_bits(config.chunks),  # 9: pooled value to read
            "fires": 1,  # 10: y is one to be pooled
            "chunk": index_bits(config.chunks),  # 10
            "first": 1,  # 10: of a pooling window
            "carries": 1,  # 10: last pixel of a window, and the next window's as well
            "single": 1,  # 10: the pixel has no other chunk
            "leaves": 1,  # 11: the pooled value goes on
            "no_array": 1,
            "residual": 1,
            "residual_after": 1,
            "residual_max": 1,
            "shift": 5,
            "share_shift": 5,  # of the residual's share
            "shift1": 5,
            "half": 32,
            "low": signed(16),
            "high": signed(16),
        }
    )


def parameters_layout(config: Config) -> data.StructLayout:
    """Parameters ``name_channel``, each valid in its stage: m, m2, r 3; b 4; pivot, m0, m1 6; b0, b1 8."""
    bits = dict(config.affine_parameters)
    for name in ("b", *OFFSETS):
        bits[name] = max(bits[name], 32) + 1  # half a unit is added, which may be larger than the offset
    return data.StructLayout(
        {f"{name}_{channel}": signed(width) for channel in range(config.post) for name, width in bits.items()}
    )


class StripAffine(wiring.Component):
    """v, y, pooling and out of docs/machine.md for W channels; a new chunk may come every cycle.

    Members
    -------
    control : ``In(control_layout(config))``
    parameters : ``In(parameters_layout(config))``
    values, second_values : ``In(accumulator_width*W)``  stage 0; the second with ``two_scale`` only
    word : ``In(residual_word_bits)``                    stage 2: the strip's residual word
    out : ``Out(residual_word_bits)``                    from stage 12 on, until the next one
    """

    control: "data.View[data.StructLayout]"
    parameters: "data.View[data.StructLayout]"
    values: Signal
    second_values: Signal
    word: Signal
    out: Signal

    def __init__(self, config: Config) -> None:
        self.config = config
        width = config.post * config.accumulator_width
        super().__init__(
            {
                "control": In(control_layout(config)),
                "parameters": In(parameters_layout(config)),
                "values": In(width),
                **({"second_values": In(width)} if config.two_scale else {}),
                "word": In(config.residual_word_bits),
                "out": Out(config.residual_word_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shares, candidates = [], []
        for channel in range(self.config.post):
            v, share = self._first(m, channel)
            candidates.append(self._second(m, channel, v))
            shares.append(delayed(m, share, 4, f"share{channel}", reset_less=True))
        control, bits = self.control, self.config.accumulator_bits
        for channel, (pooled, share) in enumerate(zip(self._pool(m, candidates), shares, strict=True)):
            total = Signal(signed(bits + 1), name=f"total{channel}")
            added, larger = pooled + Mux(control.residual_after, share, 0), Mux(pooled >= share, pooled, share)
            m.d.comb += total.eq(Mux(control.residual_max, larger, added).as_signed())
            out = Signal(signed(self.config.residual_bits), name=f"out{channel}", reset_less=True)
            with m.If(control.leaves):
                m.d.sync += out.eq(
                    Mux(total < control.low, control.low, Mux(total > control.high, control.high, total))
                )
            m.d.comb += self.out.word_select(channel, self.config.residual_bits).eq(out)
        return m

    def _register(self, m: Module, name: str, value: Value) -> Signal:
        register = Signal(value.shape(), name=name, reset_less=True)
        m.d.sync += register.eq(value)
        return register

    def _parameter(self, name: str, channel: int) -> Value:
        return Value.cast(self.parameters[f"{name}_{channel}"])

    def _operand(self, m: Module, channel: int, values: Signal, name: str) -> Value:
        """Accumulator of a channel in stage 3."""
        width = self.config.accumulator_width
        held = Signal(width, name=f"{name}{channel}", reset_less=True)
        with m.If(self.control.takes):
            m.d.sync += held.eq(Mux(self.control.no_array, 0, values.word_select(channel, width)))
        return to_binary(m, self.config, held, f"{name}{channel}")

    def _residual(self, m: Module, channel: int) -> Value:
        """Sum over the residual window, or its largest element, in stage 3."""
        config, control = self.config, self.control
        total = Signal(signed(config.accumulator_bits), name=f"residual{channel}", reset_less=True)
        element = self.word.word_select(channel, config.residual_bits).as_signed()
        added = Mux(control.window_begins, 0, total).as_signed() + Mux(control.residual, element, 0)
        begins = control.window_begins | (element > total[: config.residual_bits].as_signed())
        m.d.sync += total.eq(Mux(control.residual_max, Mux(begins, element, total), added).as_signed())
        return total

    def _first(self, m: Module, channel: int) -> tuple[Value, Value]:
        """v in stage 6, and the residual's share in stage 7."""
        config, control = self.config, self.control
        operands: dict[str, Value] = {"m": self._operand(m, channel, self.values, "first")}
        if config.two_scale:
            operands["m2"] = self._operand(m, channel, self.second_values, "second")
        operands["r"] = self._residual(m, channel)
        products: dict[str, Value] = {
            name: self._register(m, f"product_{name}{channel}", operand * self._parameter(name, channel))
            for name, operand in operands.items()
        }
        share = self._register(m, f"share_sum{channel}", products["r"] + control.half)
        products["r"] = Mux(control.residual_after, 0, products["r"]).as_signed()
        total = self._parameter("b", channel)
        for product in products.values():
            total = total + product
        total = self._register(m, f"first_sum{channel}", total)
        v = shift_right(m, total, control.shift, config.accumulator_bits, f"v{channel}")
        share = shift_right(m, share, control.share_shift, config.accumulator_bits, f"share{channel}")
        return v, self._register(m, f"share{channel}", share)

    def _second(self, m: Module, channel: int, v: Value) -> Value:
        """y in stage 10."""
        config, control = self.config, self.control
        pivot, m0, m1, b0, b1 = (self._parameter(name, channel) for name in (*PIVOT, *OFFSETS))
        upper = v >= pivot
        v = self._register(m, f"v{channel}", v)
        slope = self._register(m, f"slope{channel}", Mux(upper, m1, m0).as_signed())
        chosen = delayed(m, upper, 2, f"upper{channel}", reset_less=True)
        product = self._register(m, f"product_v{channel}", v * slope)
        offset = Mux(chosen, b1, b0).as_signed()
        total = self._register(m, f"second_sum{channel}", product + offset)
        return shift_right(m, total, control.shift1, config.accumulator_bits, f"y{channel}")

    def _pool(self, m: Module, candidates: list[Value]) -> list[Value]:
        """The largest y of the pooling window so far, in stage 11."""
        config, control = self.config, self.control
        bits = config.post * config.accumulator_bits
        pooled, held = Signal(bits, reset_less=True), Signal(bits, reset_less=True)
        result, before = Signal(bits), Signal(bits)
        kept = Mux(control.carries, Cat(y[: config.accumulator_bits] for y in candidates), result)  # for the next pixel
        if config.chunks > 1:
            m.submodules.memory = memory = Memory(shape=unsigned(bits), depth=config.chunks, init=[], attrs=UNCHECKED)
            reader, writer = memory.read_port(), memory.write_port()
            m.d.comb += [
                reader.addr.eq(control.read_chunk),
                writer.addr.eq(control.chunk),
                writer.data.eq(kept),
                writer.en.eq(control.fires),
                # A pixel's only chunk may come every cycle, sooner than the memory gives it back.
                before.eq(Mux(control.single, held, reader.data)),
            ]
        else:
            m.d.comb += before.eq(held)

        def channel_of(word: Signal, channel: int) -> Value:
            return word.word_select(channel, config.accumulator_bits).as_signed()

        largest = []
        for channel, y in enumerate(candidates):
            old = channel_of(before, channel)
            largest.append(Mux(control.first | (y >= old), y, old)[: config.accumulator_bits])
        m.d.comb += result.eq(Cat(largest))
        with m.If(control.fires):
            m.d.sync += [pooled.eq(result), held.eq(kept)]
        return [channel_of(pooled, channel) for channel in range(config.post)]
