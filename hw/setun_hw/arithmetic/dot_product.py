"""The dot product of N digit pairs."""

from collections.abc import Iterator

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from setun_hw.arithmetic.popcount import column_sum
from setun_hw.cells import datapath
from setun_hw.cells.models import instantiate
from setun_hw.codec import sum_width
from setun_hw.config import Config, Encoding
from setun_hw.library import Shared


class DotProduct(Shared, wiring.Component):
    """Sum of N products of digits, ``tree_registers`` cycles after the digits; a new one every cycle.

    Members
    -------
    weights, digits : ``In(2*N)``     digits, lane 0 lowest
    sum : ``Out(sum_width(config))``  trits, least significant lowest, or two's complement
    """

    weights: Signal
    digits: Signal
    sum: Signal

    def __init__(self, config: Config) -> None:
        self.config = config
        self.clocked = config.tree_registers > 0
        super().__init__({"weights": In(config.word_bits), "digits": In(config.word_bits), "sum": Out(sum_width(config))})

    @property
    def module_name(self) -> str:
        """Encoding, lanes and registers."""
        return f"setun_dot_product_{self.config.encoding}_{self.config.lanes}_{self.config.tree_registers}"

    def pins(self) -> tuple[dict[str, Signal], dict[str, Signal]]:
        """Inputs and outputs by name."""
        return {"weights": self.weights, "digits": self.digits}, {"sum": self.sum}

    def build(self) -> Module:
        """Cells for ``ternary``, an adder tree of bits for the others."""
        m = Module()
        if self.config.encoding is Encoding.TERNARY:
            pairs = list(self._lanes())
            wires = {"weights": [w for w, _ in pairs], "digits": [a for _, a in pairs], "enable": [Const(1, 1)]}
            m.d.comb += self.sum.eq(Cat(instantiate(m, datapath.dot_product(self.config), wires)["sum"]))
        else:
            m.d.comb += self.sum.eq(Cat(column_sum(m, self._columns(m), self.config.tree_registers)))
        return m

    def _lanes(self) -> Iterator[tuple[Value, Value]]:
        for low in range(0, self.config.word_bits, 2):
            yield self.weights[low : low + 2], self.digits[low : low + 2]

    def _columns(self, m: Module) -> list[list[Value]]:
        """Bits by weight whose sum is the dot product, the constant that takes back the offsets included."""
        width = sum_width(self.config)
        columns: list[list[Value]] = [[] for _ in range(max(width, 3))]
        offset = 0
        for lane, (w, a) in enumerate(self._lanes()):
            if self.config.encoding is Encoding.RAILS:
                product = Signal(2, name=f"product_{lane}")
                # plus rail and inverted minus rail: as many ones as the product plus one
                m.d.comb += product.eq(Cat(w[0] & a[0] | w[1] & a[1], ~(w[0] & a[1] | w[1] & a[0])))
                columns[0] += [product[0], product[1]]
                offset += 1
            else:
                product = Signal(3, name=f"product_{lane}")
                m.d.comb += product.eq(w.as_signed() * a.as_signed() + 2)
                for weight in range(3):
                    columns[weight].append(product[weight])
                offset += 2
        for weight in range(width):
            if -offset >> weight & 1:
                columns[weight].append(Const(1, 1))
        return columns[:width]
