"""The dot product of N digit pairs."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from setun_hw.arithmetic.trits import full_adder
from setun_hw.codec import sum_width
from setun_hw.config import Config, Encoding


class DotProduct(wiring.Component):
    """Sum of N products of digits, ``tree_registers`` cycles after the digits.

    Members
    -------
    weights, digits : ``In(2*N)``     digits, lane 0 lowest
    sum : ``Out(sum_width(config))``  trits, or two's complement
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__({"weights": In(2 * config.lanes), "digits": In(2 * config.lanes), "sum": Out(sum_width(config))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        width = sum_width(config)
        products = []
        for lane in range(config.lanes):
            w, a = self.weights[2 * lane:2 * lane + 2], self.digits[2 * lane:2 * lane + 2]
            if config.encoding is Encoding.BINARY2:
                products.append(w.as_signed() * a.as_signed())
            else:
                products.append(Cat((w[0] & a[0]) | (w[1] & a[1]), (w[0] & a[1]) | (w[1] & a[0])))
        total = Signal(width)
        if config.encoding is Encoding.BINARY2:
            m.d.comb += total.eq(sum(products))
        elif config.encoding is Encoding.RAILS:
            m.d.comb += total.eq(sum(p[0] - p[1] for p in products))
        else:
            acc = Const(0, width)
            for p in products:
                carry = p
                trits = []
                for t in range(width // 2):
                    s, carry = full_adder(m, acc[2 * t:2 * t + 2], carry, Const(0, 2))
                    trits.append(s)
                nxt = Signal(width)
                m.d.comb += nxt.eq(Cat(*trits))
                acc = nxt
            m.d.comb += total.eq(acc)
        for _ in range(config.tree_registers):
            stage = Signal(width)
            m.d.sync += stage.eq(total)
            total = stage
        m.d.comb += self.sum.eq(total)
        return m
