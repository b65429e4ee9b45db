"""How often the wires of a dot product switch: its netlist, evaluated on many steps at once.

Steps are the bits of 64-bit words, so that one operation evaluates a gate for 64 of them; step k + 1 follows step k.
Every adder cell takes the same time, so a wire may change several times before it settles: such glitches count too. The
operands are real ones (:mod:`setun_sim.cost.toggles`) or, for a density of non-zero products, a fixed random sample.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from setun_hw.cells import CellNetlist, datapath
from setun_hw.cells.netlist import ZERO
from setun_hw.codec import sum_width
from setun_hw.config import Config, Encoding
from setun_sim.cost.trees import HIGH, tree_of

Bits = NDArray[np.uint64]
Counts = dict[str, float]

#: steps of the random sample, and the densities at which it is evaluated
_STEPS = 4096
_GRID = np.linspace(0, 1, 21)
#: dot products added up before an accumulator starts again: two blocks of a 3x3 kernel
_TERMS = 18
#: steps whose predecessor is in the same word
_PAIRS = np.uint64((1 << 64) - 2)


@dataclass(frozen=True)
class Switching:
    """One step of one dot product, by kind of gate or cell, all of a kind together.

    ``switches``: of a ternary cell in its own levels, of a binary gate in bits; ``rails``: of ternary cells built of
    binary gates on two rails, the mean of both; ``middle``: outputs of ternary cells at the middle level.
    """

    switches: Counts
    rails: Counts
    middle: Counts


def expected(config: Config, density: float) -> Switching:
    """Switching behind independent products of which a share ``density`` is not zero, half of those negative."""
    grid = _on_grid(config.encoding, config.lanes, config.tree_registers, sum_width(config))

    def at(which: str) -> Counts:
        kinds = getattr(grid[-1], which)
        return {
            kind: float(np.interp(density, _GRID, [getattr(point, which)[kind] for point in grid])) for kind in kinds
        }

    return Switching(at("switches"), at("rails"), at("middle"))


@cache
def _on_grid(encoding: Encoding, lanes: int, registers: int, _width: int) -> tuple[Switching, ...]:
    config = Config(name="tree", encoding=encoding, lanes=lanes, tree_registers=registers, rows=1, post=1)
    random = np.random.default_rng(1958)
    draw, sign = random.random((lanes, _STEPS)), random.random((lanes, _STEPS)) < 0.5
    return tuple(
        observed(config, pack((draw < density) & sign), pack((draw < density) & ~sign)) for density in _GRID.tolist()
    )


def pack(steps: NDArray[np.bool_]) -> Bits:
    """Steps along the last axis, a multiple of 64, as bits of words, the first lowest."""
    return np.packbits(steps, axis=-1, bitorder="little").view("<u8").astype(np.uint64)


def observed(config: Config, positive: Bits, negative: Bits) -> Switching:
    """Switching for given products.

    Parameters
    ----------
    config:
        Its encoding, lanes and tree registers matter.
    positive, negative:
        (lanes, words): bit k of word j of a lane is set where its product in step 64*j + k is +1 or -1. Pairs of steps
        in different words are not looked at.
    """
    if config.encoding is Encoding.TERNARY:
        return _ternary(datapath.dot_product(config), positive, negative)
    # rails: plus, not minus; binary2: the bits of product + 2, which is 1, 2 or 3
    bits = [positive, ~negative]
    if config.encoding is Encoding.BINARY2:
        bits = [positive | negative, ~negative, np.zeros_like(positive)]
    return _binary(config, bits)


def of_products(config: Config, products: NDArray[np.int64]) -> Switching:
    """Switching for given products, (lanes, steps), successive steps side by side; a multiple of 64 steps."""
    if config.encoding is not Encoding.BINARY2:
        return observed(config, pack(products > 0), pack(products < 0))
    return _binary(config, [pack((products + 2 >> bit & 1).astype(bool)) for bit in range(3)])


def _binary(config: Config, bits: list[Bits]) -> Switching:
    tree = tree_of(config)
    wires: dict[int, list[Bits]] = {HIGH: [np.full(bits[0].shape[1], ~np.uint64(0))]}
    wires |= {wire: [bits[wire % len(bits)][wire // len(bits)]] for wire in range(tree.inputs)}
    found: Counts = {}
    for kind, inputs, outputs in tree.nodes:
        pins = [wires[wire] for wire in inputs]
        # registers change all at once, to what has settled
        driven = [[pins[0][-1]]] if kind == "flip_flop" else _settling(partial(_gate, kind), pins)
        wires |= dict(zip(outputs, driven, strict=True))
        name = kind.removesuffix("_one")
        found[name] = found.get(name, 0.0) + float(np.mean([_toggles(history) for history in driven]))
    sums = sum(_toggles(wires[wire][-1:]) for wire in tree.outputs if wire >= 0)
    found["flip_flop"] = found.get("flip_flop", 0.0) + sums
    product = float(np.mean([np.mean([_toggles([lane]) for lane in plane]) for plane in bits[:2]]))
    return Switching({**found, "product": product * config.lanes}, {}, {})


def _settling(cell: Callable[[Sequence[Bits]], tuple[Bits, ...]], pins: Sequence[list[Bits]]) -> list[list[Bits]]:
    """What each output carries after 0, 1, 2, ... delays: the step before, then as the inputs' changes arrive."""
    states = [cell([history[min(time, len(history) - 1)] for history in pins]) for time in range(max(map(len, pins)))]
    return [[_before(states[-1][k]), *(state[k] for state in states)] for k in range(len(states[-1]))]


def _before(value: Bits) -> Bits:
    """The step before in the place of each."""
    return value << np.uint64(1)


def _changes(history: Sequence[Bits]) -> list[Bits]:
    """What changes in a step, delay after delay; a wire that has settled at once has one entry."""
    if len(history) == 1:
        return [history[0] ^ _before(history[0])]
    return [before ^ after for before, after in pairwise(history)]


def _count(change: Bits) -> float:
    """Steps in which a wire changes, those without predecessor left out."""
    return float(np.bitwise_count(change & _PAIRS).sum())


def _toggles(history: Sequence[Bits]) -> float:
    """Changes of a wire in a step."""
    return sum(map(_count, _changes(history))) / (63 * history[-1].size)


def _gate(kind: str, values: Sequence[Bits]) -> tuple[Bits, ...]:
    if kind == "inverter":
        return (~values[0],)
    a, b = values[:2]
    if kind == "half_adder":
        return a ^ b, a & b
    if kind == "half_adder_one":  # with a constant one
        return ~(a ^ b), a | b
    half = a ^ b
    return half ^ values[2], a & b | half & values[2]


def _add(a: Bits, b: Bits) -> tuple[Bits, Bits]:
    """Sum and carry of two trits, positive rail first."""
    a_zero, b_zero = ~(a[0] | a[1]), ~(b[0] | b[1])
    total = (a[1] & b[1] | a[0] & b_zero | b[0] & a_zero, a[0] & b[0] | a[1] & b_zero | b[1] & a_zero)
    return np.stack(total), a & b


def _merge(a: Bits, b: Bits) -> Bits:
    return np.stack((a[0] & ~b[1] | b[0] & ~a[1], a[1] & ~b[0] | b[1] & ~a[0]))


def _cell(kind: str, pins: Sequence[Bits]) -> tuple[Bits, ...]:
    total, carry = _add(pins[0], pins[1])
    if kind == "half_adder":
        return total, carry
    if kind == "full_adder":
        total, second = _add(total, pins[2])
        return total, _merge(carry, second)
    other, second = _add(pins[2], pins[3])
    total, third = _add(total, other)
    return total, _merge(_merge(carry, third), second)


def _ternary(netlist: CellNetlist, positive: Bits, negative: Bits) -> Switching:
    wires: dict[int, list[Bits]] = {ZERO: [np.zeros((2, positive.shape[1]), np.uint64)]}
    found = Switching({}, {}, {})
    lane = 0
    for node in netlist.nodes:
        if node.kind == "multiplier":
            driven = [[np.stack((positive[lane], negative[lane]))]]
            lane += 1
        elif node.kind == "flip_flop":
            driven = [[wires[node.inputs[0]][-1]]]
        else:
            driven = _settling(partial(_cell, node.kind), [wires[wire] for wire in node.inputs])
        wires |= dict(zip(node.outputs, driven, strict=True))
        _record(found, node.kind, driven)
    for wire in netlist.outputs["sum"]:
        if wire != ZERO:
            _record(found, "flip_flop", [wires[wire][-1:]])
    return found


def _record(found: Switching, kind: str, driven: Sequence[Sequence[Bits]]) -> None:
    """Add one cell's outputs."""
    steps, rails, middle = 0.0, 0.0, 0.0
    for history in driven:
        pairs = 63 * history[-1][0].size
        for change in _changes(history):
            # a quarter of the squared change in levels: 1 where one rail changes, 4 where both do
            one, both = _count(change[0] ^ change[1]), _count(change[0] & change[1])
            steps += (one + 4 * both) / (4 * pairs)
            rails += (one + 2 * both) / (2 * pairs)
        middle += float(np.bitwise_count(~(history[-1][0] | history[-1][1])).mean()) / 64
    for counts, value in ((found.switches, steps), (found.rails, rails), (found.middle, middle)):
        counts[kind] = counts.get(kind, 0.0) + value / len(driven)


@dataclass(frozen=True)
class Accumulation:
    """An accumulator's number from one addition to the next, all its digits together.

    ``switches`` of its bits, or of trits in their own levels; ``rails``: of trits on two rails, the mean of both;
    ``middle``: share of its trits that are zero.
    """

    switches: float
    rails: float
    middle: float


def accumulation(config: Config) -> Accumulation:
    """Switching of an accumulator that adds up dot products of random products, one in four of them not zero."""
    return _accumulation(config.encoding, config.lanes, config.accumulator_bits, config.accumulator_trits)


@cache
def _accumulation(encoding: Encoding, lanes: int, bits: int, trits: int) -> Accumulation:
    random = np.random.default_rng(1958)
    products = random.choice([-1, 0, 1], (512 * _TERMS, lanes), p=[0.125, 0.75, 0.125]).sum(-1)
    values = products.reshape(512, _TERMS).cumsum(-1).ravel()
    if encoding is not Encoding.TERNARY:
        changed = np.bitwise_count(((values[1:] ^ values[:-1]) & ((1 << bits) - 1)).astype(np.uint64))
        return Accumulation(float(changed.mean()), 0.0, 0.0)
    rest, digits = values.copy(), []
    for _ in range(trits):
        digit = (rest + 1) % 3 - 1
        digits.append(digit)
        rest = (rest - digit) // 3
    levels = np.stack(digits)
    steps = np.diff(levels, axis=1)
    rails = (np.diff(levels > 0, axis=1) != 0).sum(0) + (np.diff(levels < 0, axis=1) != 0).sum(0)
    return Accumulation(float((steps**2).sum(0).mean() / 4), float(rails.mean() / 2), float((levels == 0).mean()))
