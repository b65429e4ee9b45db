"""The ``ternary`` datapath drawn in named cells: dot product, accumulator, comparison."""

from collections.abc import Sequence

from setun_hw.cells.compression import StagedTree
from setun_hw.cells.netlist import ZERO, CellNetlist
from setun_hw.codec import sum_width
from setun_hw.config import Config

_ADDERS = {2: "half_adder", 3: "full_adder", 4: "counter42"}


def dot_product(config: Config) -> CellNetlist:
    """N multipliers, a tree of 4:2 counters and adders, and ``tree_registers`` stages of flip-flops.

    Ports: trits ``weights`` and ``digits`` of N lanes, the binary ``loads`` of each stage's flip-flops; output ``sum``.
    """
    net = CellNetlist()
    weights, digits = net.port("weights", config.lanes), net.port("digits", config.lanes)
    loads = net.port("loads", config.tree_registers)
    products = [net.add("multiplier", pair)[0] for pair in zip(weights, digits, strict=True)]

    def adder(wires: Sequence[int]) -> tuple[int, int]:
        total, carry = net.add(_ADDERS[len(wires)], wires, 2)
        return total, carry

    def register(wire: int, stage: int) -> int:
        return net.add("flip_flop", (wire, loads[stage]))[0]

    columns = [products, *[[] for _ in range(sum_width(config) // 2 - 1)]]
    tree = StagedTree(columns, 4, config.tree_registers, adder, register)
    net.outputs["sum"] = [ZERO if wire is None else wire for wire in tree.total]
    return net


def accumulator(config: Config) -> CellNetlist:
    """A chain of adders before flip-flops; times three is wiring.

    Ports: trits ``sum``; binary ``keep`` (the old value counts), ``keep_lowest`` (and is not scaled), ``scale``
    and ``enable``; output ``value``.
    """
    net = CellNetlist()
    addend = net.port("sum", sum_width(config) // 2)
    (keep,), (keep_lowest,), (scale,), (enable,) = (
        net.port(name, 1) for name in ("keep", "keep_lowest", "scale", "enable")
    )
    value = [net.wire() for _ in range(config.accumulator_trits)]
    carries: list[int] = []
    for index, wire in enumerate(value):
        if index == 0:
            (old,) = net.add("gate", (wire, keep_lowest))
        else:
            (scaled,) = net.add("multiplexer", (wire, value[index - 1], scale))
            (old,) = net.add("gate", (scaled, keep))
        terms = [old, *addend[index : index + 1], *carries]
        following, carry = net.add(_ADDERS[len(terms)], terms, 2)
        carries = [carry]
        net.add("flip_flop", (following, enable), (wire,))
    net.outputs["value"] = value
    return net


def comparison(config: Config) -> CellNetlist:
    """Sign of ``a - b``: a comparator for each trit and a tree in which the more significant difference decides."""
    net = CellNetlist()
    a, b = net.port("a", config.accumulator_trits), net.port("b", config.accumulator_trits)
    signs = [net.add("comparator", pair)[0] for pair in zip(a, b, strict=True)]
    while len(signs) > 1:
        pairs = [net.add("chain", (high, low))[0] for low, high in zip(signs[0::2], signs[1::2], strict=False)]
        signs = pairs + signs[2 * len(pairs) :]
    net.outputs["sign"] = signs
    return net


def maximum(config: Config) -> CellNetlist:
    """The larger of ``a`` and ``b``, whose binary ``at_least`` says that it is ``a``; output ``larger``."""
    net = CellNetlist()
    a, b = net.port("a", config.accumulator_trits), net.port("b", config.accumulator_trits)
    (at_least,) = net.port("at_least", 1)
    net.outputs["larger"] = [net.add("multiplexer", (low, high, at_least))[0] for high, low in zip(a, b, strict=True)]
    return net
