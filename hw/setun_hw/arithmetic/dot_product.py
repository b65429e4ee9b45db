"""The dot product of N digit pairs."""

from collections.abc import Iterator

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from setun_hw.arithmetic.popcount import GROUPS, sum_up
from setun_hw.cells import datapath
from setun_hw.cells.models import instantiate
from setun_hw.codec import sum_width
from setun_hw.config import Config, Encoding
from setun_hw.library import ModuleLibrary, Shared


class DotProduct(Shared, wiring.Component):
    """Sum of N products of digits, ``tree_registers`` cycles after the digits; a new one every cycle.

    Members
    -------
    loads : ``In(tree_registers)``    whether each stage's registers load, the first lowest; none without registers
    weights, digits : ``In(2*N)``     digits, lane 0 lowest
    sum : ``Out(sum_width(config))``  trits, least significant lowest, or two's complement
    """

    loads: Signal
    weights: Signal
    digits: Signal
    sum: Signal

    def __init__(self, config: Config) -> None:
        self.config = config
        self.clocked = config.tree_registers > 0
        loads = {"loads": In(config.tree_registers)} if self.clocked else {}
        super().__init__(
            {**loads, "weights": In(config.word_bits), "digits": In(config.word_bits), "sum": Out(sum_width(config))}
        )

    @property
    def module_name(self) -> str:
        """Encoding, lanes and registers."""
        return f"setun_dot_product_{self.config.encoding}_{self.config.lanes}_{self.config.tree_registers}"

    def pins(self) -> tuple[dict[str, Signal], dict[str, Signal]]:
        """Inputs and outputs by name."""
        loads = {"loads": self.loads} if self.clocked else {}
        return {**loads, "weights": self.weights, "digits": self.digits}, {"sum": self.sum}

    def build(self, library: ModuleLibrary | None = None) -> Module:
        """Cells for ``ternary``, a tree of binary adders for the others."""
        m = Module()
        config = self.config
        loads: list[Value] = list(self.loads) if self.clocked else []
        if config.encoding is Encoding.TERNARY:
            pairs = list(self._lanes())
            wires = {"weights": [w for w, _ in pairs], "digits": [a for _, a in pairs], "loads": loads}
            m.d.comb += self.sum.eq(Cat(instantiate(m, datapath.dot_product(config), wires)["sum"]))
            return m
        numbers = [number for lane, (w, a) in enumerate(self._lanes()) for number in self._product(m, lane, w, a)]
        offset = config.lanes * (2 if config.encoding is Encoding.BINARY2 else 1)
        family = library.family if library else None
        if config.encoding is Encoding.RAILS and family not in GROUPS:
            # adders of bits that are mostly equal switch a third less than adders of a product's two bits, which
            # mostly differ
            numbers = numbers[0::2] + numbers[1::2]
        m.d.comb += self.sum.eq(sum_up(m, numbers, -offset, sum_width(config), loads, family))
        return m

    def _lanes(self) -> Iterator[tuple[Value, Value]]:
        for low in range(0, self.config.word_bits, 2):
            yield self.weights[low : low + 2], self.digits[low : low + 2]

    def _product(self, m: Module, lane: int, w: Value, a: Value) -> list[Value]:
        """Unsigned numbers whose sum is the product plus one (rails) or plus two."""
        if self.config.encoding is Encoding.RAILS:
            plus, not_minus = Signal(name=f"plus_{lane}"), Signal(name=f"not_minus_{lane}")
            m.d.comb += [
                plus.eq(w[0] & a[0] | w[1] & a[1]),
                not_minus.eq(~(w[0] & a[1] | w[1] & a[0])),
            ]
            return [plus, not_minus]
        product = Signal(3, name=f"product_{lane}")
        # w*a + 2 = w0*a0 + 2*(1 - w0*a1 - w1*a0) + 4*w1*a1, bit by bit
        m.d.comb += product.eq(Cat(w[0] & a[0], ~(w[0] & a[1] ^ w[1] & a[0]), w[1] & a[1] & ~(w[0] & a[0])))
        return [product]
