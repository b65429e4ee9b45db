"""Shared modules: one text for equal components, none of the meaning lost."""

import re

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from setun_hw.arithmetic import Accumulator, DotProduct, sum_width
from setun_hw.config import Config, Encoding
from setun_hw.library import convert


class Rows(wiring.Component):
    """``rows`` dot products with their accumulators."""

    weights: Signal
    digits: Signal
    value: Signal

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__({
            "weights": In(config.weight_word_bits), "digits": In(config.word_bits),
            "value": Out(config.accumulator_width * config.rows),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for row in range(self.config.rows):
            m.submodules[f"dot_{row}"] = dot = DotProduct(self.config)
            m.submodules[f"accumulator_{row}"] = accumulator = Accumulator(self.config)
            m.d.comb += [
                dot.weights.eq(self.weights.word_select(row, self.config.word_bits)), dot.digits.eq(self.digits),
                dot.loads.eq(1), accumulator.sum.eq(dot.sum), accumulator.enable.eq(1),
                self.value.word_select(row, self.config.accumulator_width).eq(accumulator.value),
            ]  # fmt: skip
        return m


def modules(text: str) -> list[str]:
    return re.findall(r"^module \\(\S+)", text, re.MULTILINE)


def config(encoding: Encoding, rows: int = 8, lanes: int = 8) -> Config:
    return Config(name="test", encoding=encoding, rows=rows, lanes=lanes, post=1)


def test_equal_components_are_one_module() -> None:
    text = convert(Rows(config(Encoding.TERNARY)), "rows")
    names = modules(text)
    assert len(names) == len(set(names))
    assert set(names) == {
        "rows", "setun_dot_product_ternary_8_1", "setun_accumulator_ternary_6_26",
        "setun_multiplier", "setun_counter42",
        "setun_full_adder", "setun_half_adder", "setun_flip_flop", "setun_gate", "setun_multiplexer",
    }  # fmt: skip
    assert len(re.findall(r"^  cell \\setun_dot_product_ternary_8_1 \\dot_\d$", text, re.MULTILINE)) == 8


def test_only_the_design_itself_is_the_top() -> None:
    text = convert(Rows(config(Encoding.RAILS)), "rows")
    assert re.findall(r"^attribute \\top 1\n(?:attribute .*\n)*module \\(\S+)", text, re.MULTILINE) == ["rows"]


def test_the_text_hardly_grows_with_the_array_and_is_the_same_every_time() -> None:
    small, large = (len(convert(Rows(config(Encoding.TERNARY, rows=rows, lanes=32)), "rows")) for rows in (1, 64))
    assert large < 3 * small
    assert convert(Rows(config(Encoding.TERNARY)), "rows") == convert(Rows(config(Encoding.TERNARY)), "rows")


def test_components_of_different_shape_are_different_modules() -> None:
    class Two(wiring.Component):
        def __init__(self) -> None:
            super().__init__({"digits": In(16), "low": Out(8), "high": Out(8)})

        def elaborate(self, platform: object) -> Module:
            m = Module()
            for name, lanes in (("low", 4), ("high", 8)):
                c = config(Encoding.RAILS, lanes=lanes)
                m.submodules[name] = dot = DotProduct(c)
                total = Signal(sum_width(c))
                m.d.comb += [dot.weights.eq(self.digits), dot.digits.eq(self.digits), dot.loads.eq(1)]
                m.d.comb += total.eq(dot.sum)
                m.d.comb += getattr(self, name).eq(total)
            return m

    assert set(modules(convert(Two(), "two"))) == {"two", "setun_dot_product_rails_4_1", "setun_dot_product_rails_8_1"}


def test_a_shared_component_can_be_the_design() -> None:
    names = modules(convert(DotProduct(config(Encoding.RAILS)), "alone"))
    assert names == ["alone"]


def test_a_family_with_cheap_carry_chains_gets_adders() -> None:
    def adders(family: str | None) -> int:
        return convert(DotProduct(config(Encoding.RAILS, lanes=16)), "dot", family=family).count("cell $add ")

    assert adders(None) == 0
    assert adders("ecp5") == 0
    # 16 lanes of two bits: fifteen additions make one number of sixteen, one more takes the offset away
    assert adders("ice40") == 16
