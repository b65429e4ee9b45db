"""Numbers as digits of the encoding, one a cycle, most significant first."""

from amaranth import Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config, Encoding


class DigitTables:
    """What all channels' converters share, from registers: powers of three for a digit, and the offset for a number
    of digits.

    Adding half the range makes every trit 0, 1 or 2, so that subtracting powers of three gives them one by one.
    """

    def __init__(self, m: Module, config: Config, *, digits: Value, digit: Value) -> None:
        most = config.value_digits
        self.offset = Signal(range(3**most), name="digits_offset")
        self.power = Signal(range(3 ** (most - 1) + 1), name="digit_power")
        if config.encoding is Encoding.BINARY2:
            return
        with m.Switch(digits):
            for count in range(1, most + 1):
                with m.Case(count):
                    m.d.sync += self.offset.eq((3**count - 1) // 2)
        with m.Switch(digit):
            for k in range(most):
                with m.Case(k):
                    m.d.comb += self.power.eq(3**k)


class DigitConverter(wiring.Component):
    """Digits of one number.

    Members
    -------
    value : ``In(signed(residual_bits))``   in the cycle of ``begins``
    begins : ``In(1)``                      the most significant digit is due
    digit : ``In``                          index of the digit that is due, 0 the least significant
    power, offset : ``In``                  of :class:`DigitTables`, for that digit and all of them
    code : ``Out(2)``                       that digit, in the same cycle
    """

    value: Signal
    begins: Signal
    digit: Signal
    power: Signal
    offset: Signal
    code: Signal

    def __init__(self, config: Config, tables: DigitTables, digit: Signal) -> None:
        self.config = config
        super().__init__(
            {
                "value": In(signed(config.residual_bits)),
                "begins": In(1),
                "digit": In(len(digit)),
                "power": In(len(tables.power)),
                "offset": In(len(tables.offset)),
                "code": Out(2),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.config.encoding is Encoding.BINARY2:
            # Two more in every place make digits 0 to 3, which are bit pairs.
            places = self.config.value_digits
            raised, held = Signal(2 * places), Signal(2 * places, reset_less=True)
            m.d.comb += raised.eq(Mux(self.begins, self.value + int("10" * places, 2), held))
            m.d.sync += held.eq(raised)
            m.d.comb += self.code.eq(raised.word_select(self.digit, 2) ^ 0b10)
            return m
        rest, held = (
            Signal(range(3**self.config.value_digits)),
            Signal(range(3**self.config.value_digits), reset_less=True),
        )
        once, twice = Signal(signed(len(rest) + 1)), Signal(signed(len(rest) + 2))
        m.d.comb += [
            rest.eq(Mux(self.begins, self.value + self.offset, held)),
            once.eq(rest - self.power),
            twice.eq(rest - (self.power << 1)),
        ]
        with m.If(twice >= 0):
            m.d.comb += self.code.eq(0b01)
            m.d.sync += held.eq(twice)
        with m.Elif(once >= 0):
            m.d.comb += self.code.eq(0b00)
            m.d.sync += held.eq(once)
        with m.Else():
            m.d.comb += self.code.eq(0b10)
            m.d.sync += held.eq(rest)
        return m
