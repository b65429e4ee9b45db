"""The accumulator of a row."""

from amaranth import Cat, Const, Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from setun_hw.arithmetic.trits import full_adder
from setun_hw.codec import sum_width
from setun_hw.config import Config, Encoding


class Accumulator(wiring.Component):
    """``value <- (0 if clear else radix*value if scale else value) + sum`` at an edge with ``enable``.

    Members
    -------
    sum : ``In(sum_width(config))``
    clear, scale, enable : ``In(1)``
    value : ``Out(config.accumulator_width)``
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__({
            "sum": In(sum_width(config)), "clear": In(1), "scale": In(1), "enable": In(1),
            "value": Out(config.accumulator_width),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        width = config.accumulator_width
        if config.encoding is Encoding.TERNARY:
            old = Mux(self.clear, 0, Mux(self.scale, (self.value << 2)[:width], self.value))
            addend = Cat(self.sum, Const(0, width))[:width]
            carry = Const(0, 2)
            trits = []
            for t in range(width // 2):
                s, carry = full_adder(m, old[2 * t:2 * t + 2], addend[2 * t:2 * t + 2], carry)
                trits.append(s)
            new = Cat(*trits)
        else:
            value = self.value.as_signed()
            old = Mux(self.clear, 0, Mux(self.scale, value * config.encoding.radix, value))
            new = old + self.sum.as_signed()
        with m.If(self.enable):
            m.d.sync += self.value.eq(new)
        return m
