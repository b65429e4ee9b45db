"""Circuits that put the encodings side by side on the same numbers, with a claim that they agree."""

import operator
from functools import reduce
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from setun_hw.arithmetic import Accumulator, Comparator, DotProduct, Maximum
from setun_hw.codec import sum_width
from setun_hw.config import Config, Encoding


def config(encoding: Encoding, lanes: int, bits: int = 8) -> Config:
    return Config(name="proof", encoding=encoding, rows=1, post=1, lanes=lanes, tree_registers=0, accumulator_bits=bits)


def valid(rails: Value) -> Value:
    """No trit shows the code that does not occur."""
    return ~Cat(rails[low] & rails[low + 1] for low in range(0, len(rails), 2)).any()


def twos_complement(rails: Value) -> Value:
    """The same trits as radix-4 digits."""
    return Cat(Cat(rails[low] | rails[low + 1], rails[low + 1]) for low in range(0, len(rails), 2))


def number(word: Value, encoding: Encoding) -> Value:
    """The integer a sum or accumulator stands for."""
    if encoding is not Encoding.TERNARY:
        return word.as_signed()
    terms = [
        Mux(word[low], 3 ** (low // 2), 0) - Mux(word[low + 1], 3 ** (low // 2), 0) for low in range(0, len(word), 2)
    ]
    return reduce(operator.add, terms, Const(0, 1))


class Miter(wiring.Component):
    """Inputs by name and width; a subclass says what is assumed and what is claimed."""

    assumption: Signal
    claim: Signal

    def __init__(self, inputs: dict[str, int]) -> None:
        ports: dict[str, Any] = {name: In(width) for name, width in inputs.items()}
        super().__init__(ports | {"assumption": Out(1), "claim": Out(1)})

    def conclude(self, m: Module, assumed: list[Value], claimed: list[Value]) -> None:
        m.d.comb += [self.assumption.eq(Cat(*assumed).all()), self.claim.eq(Cat(*claimed).all())]


class DotProducts(Miter):
    """The sums of the same trits are one number in all encodings."""

    weights: Signal
    digits: Signal

    def __init__(self, lanes: int, exchange: bool = False) -> None:
        self.lanes = lanes
        #: a wrong claim on purpose: one encoding gets two activation lanes exchanged
        self.exchange = exchange
        super().__init__({"weights": 2 * lanes, "digits": 2 * lanes})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        claimed: list[Value] = []
        numbers = []
        for encoding in Encoding:
            m.submodules[encoding] = dot = DotProduct(config(encoding, self.lanes))
            weights, digits = self.weights, self.digits
            if encoding is Encoding.BINARY2:
                weights, digits = twos_complement(weights), twos_complement(digits)
            elif encoding is Encoding.RAILS and self.exchange:
                digits = Cat(digits[2:4], digits[0:2], digits[4:])
            else:
                claimed += [valid(dot.sum)] if encoding is Encoding.TERNARY else []
            m.d.comb += [dot.weights.eq(weights), dot.digits.eq(digits)]
            numbers.append(number(dot.sum, encoding))
        claimed += [numbers[0] == other for other in numbers[1:]]
        self.conclude(m, [valid(self.weights), valid(self.digits)], claimed)
        return m


class RadixFour(Miter):
    """A dot product of ``binary2`` is the sum of the products for any digits, -2 to 1."""

    weights: Signal
    digits: Signal

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__({"weights": 2 * lanes, "digits": 2 * lanes})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dot = dot = DotProduct(config(Encoding.BINARY2, self.lanes))
        m.d.comb += [dot.weights.eq(self.weights), dot.digits.eq(self.digits)]
        products = [
            self.weights[low : low + 2].as_signed() * self.digits[low : low + 2].as_signed()
            for low in range(0, 2 * self.lanes, 2)
        ]
        self.conclude(m, [Const(1, 1)], [dot.sum.as_signed() == reduce(operator.add, products)])
        return m


class Accumulators(Miter):
    """Accumulators of one radix hold the integer that plain arithmetic gives, while it stays within their limit."""

    total: Signal
    clear: Signal
    scale: Signal
    enable: Signal

    def __init__(self, encodings: list[Encoding], lanes: int, bits: int, scaling: bool) -> None:
        self.configs = [config(encoding, lanes, bits) for encoding in encodings]
        self.scaling = scaling
        trits = config(Encoding.TERNARY, lanes)
        super().__init__({"total": sum_width(trits), "clear": 1, "scale": 1, "enable": 1})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        first = self.configs[0]
        limit, lanes, radix = first.accumulator_limit, first.lanes, first.encoding.radix
        total = number(self.total, Encoding.TERNARY)
        scale = self.scale if self.scaling else Const(0, 1)
        exact = Signal(signed(first.accumulator_bits), reset_less=True)
        following = Mux(self.clear, 0, Mux(scale, exact * radix, exact)) + total
        with m.If(self.enable):
            m.d.sync += exact.eq(following)
        claimed: list[Value] = [exact >= -limit, exact <= limit]
        for c in self.configs:
            m.submodules[c.encoding] = accumulator = Accumulator(c)
            m.d.comb += [
                accumulator.sum.eq(self.total if c.encoding is Encoding.TERNARY else total),
                accumulator.clear.eq(self.clear), accumulator.scale.eq(scale), accumulator.enable.eq(self.enable),
            ]  # fmt: skip
            claimed.append(number(accumulator.value, c.encoding) == exact)
            if c.encoding is Encoding.TERNARY:
                claimed.append(valid(accumulator.value))
        assumed = [valid(self.total), total <= lanes, total >= -lanes, following <= limit, following >= -limit]
        self.conclude(m, assumed, claimed)
        return m


class Comparisons(Miter):
    """All encodings agree on which of two numbers is larger."""

    a: Signal
    b: Signal

    def __init__(self, bits: int) -> None:
        self.bits = bits
        width = config(Encoding.TERNARY, 1, bits).accumulator_width
        super().__init__({"a": width, "b": width})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        a, b = (number(trits, Encoding.TERNARY) for trits in (self.a, self.b))
        bound = config(Encoding.TERNARY, 1, self.bits).accumulator_limit + 1
        claimed: list[Value] = []
        for encoding in Encoding:
            c = config(encoding, 1, self.bits)
            m.submodules[f"comparator_{encoding}"] = comparator = Comparator(c)
            m.submodules[f"maximum_{encoding}"] = larger = Maximum(c)
            for pair in (comparator, larger):
                m.d.comb += pair.a.eq(self.a if encoding is Encoding.TERNARY else a)
                m.d.comb += pair.b.eq(self.b if encoding is Encoding.TERNARY else b)
            claimed += [
                comparator.at_least == (a >= b),
                number(larger.larger, encoding) == Mux(a >= b, a, b),
            ]
        assumed = [valid(self.a), valid(self.b), a <= bound, a >= -bound, b <= bound, b >= -bound]
        self.conclude(m, assumed, claimed)
        return m
