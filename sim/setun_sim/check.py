"""Conditions of docs/machine.md that a descriptor's fields alone decide."""

from collections.abc import Iterator

from setun_hw.config import Config
from setun_hw.descriptor import Compute, Descriptor, Mode, Opcode, Post, Region, Transfer
from setun_sim.errors import SimulationError


def check_descriptor(index: int, d: Descriptor, post: Post, config: Config) -> None:
    """Refuse what would leave a memory, contradicts itself or needs another configuration.

    Raises
    ------
    SimulationError
        Naming the descriptor.
    """
    c = config
    check_opcode(index, d, c)
    if isinstance(d, Compute):
        last_weight = d.weight_base + max(0, d.weight_ring - 1) + d.weight_digits * d.weight_plane
        good = (
            d.in_end <= c.activation_words
            and (d.out_end <= c.activation_words or d.mode == Mode.NONE)
            and last_weight - (d.weight_digits * d.weight_plane - 1 if d.weight_ring else 0) <= c.weight_words
            and min(d.in_strip_rows, d.groups, d.in_digits, d.weight_digits, d.out_digits, d.blocks) > 0
            and max(d.chunks, d.last_chunks) <= c.chunks
            and (d.mode != Mode.THRESHOLD or d.out_digits <= c.code_digits)
            and (not d.residual or post.res_end <= c.residual_words)
            and (not d.residual_write or post.res_out_end <= c.residual_words)
        )
    elif isinstance(d, Transfer):
        depth = {
            Opcode.LOAD_WEIGHTS: c.weight_words,
            Opcode.LOAD_PARAMETERS: c.parameter_words,
            Opcode.LOAD_RESIDUAL: c.residual_words,
            Opcode.STORE_RESIDUAL: c.residual_words,
        }.get(d.opcode, c.activation_words)
        stores = d.opcode in (Opcode.STORE_ACTIVATIONS, Opcode.STORE_RESIDUAL)
        moves = stores or d.opcode in (Opcode.LOAD_ACTIVATIONS, Opcode.LOAD_RESIDUAL)
        words = d.row_words * min(d.rows, d.strip_rows) if moves else d.words
        good = d.base + words <= depth and (moves or d.region == Region.PROGRAM)
        good = good and (not moves or (d.strip_rows > 0 and d.rows <= d.strip_rows * c.strips))
        good = good and (not d.lines or (moves and d.rows == d.strip_rows == 1 and d.words == d.row_words))
        good = good and (not stores or d.region in (Region.OUTPUT, Region.SCRATCH))
    else:
        good = True
    if not good:
        raise SimulationError(f"descriptor {index}: {d.opcode.name} leaves a memory or contradicts itself")
    if isinstance(d, Compute):
        check_compute(index, d, post, c)


def check_opcode(index: int, descriptor: Descriptor, config: Config) -> None:
    """Refuse descriptors that a configuration does not know.

    Raises
    ------
    SimulationError
        Naming the descriptor.
    """
    if descriptor.opcode > Opcode.COMPUTE and not config.affine:
        raise SimulationError(f"descriptor {index}: {descriptor.opcode.name} needs a configuration with affine")


def check_compute(index: int, d: Compute, post: Post, config: Config) -> None:
    """Refuse a COMPUTE whose fields, or the SET_POST before it, contradict themselves or the configuration.

    Raises
    ------
    SimulationError
        Naming the descriptor and the first condition that is broken.
    """
    for broken in _broken(d, post, config):
        raise SimulationError(f"descriptor {index}: {broken}")


def _broken(d: Compute, post: Post, config: Config) -> Iterator[str]:
    if d.mode not in list(Mode):
        yield f"mode {d.mode} is unknown"
    if not d.affine:
        for name in (
            "two_scale", "no_array", "residual", "residual_after", "residual_write", "pool_carry", "residual_max",
        ):  # fmt: skip
            if getattr(d, name):
                yield f"{name} needs affine"
        if d.mode in (Mode.DIGITS, Mode.NONE):
            yield f"mode {Mode(d.mode).name} needs affine"
        return
    if not config.affine:
        yield "affine needs a configuration with affine"
    if d.mode == Mode.RAW:
        yield "mode RAW excludes affine"
    if d.two_scale and not config.two_scale:
        yield "two_scale needs a configuration with two_scale"
    if d.two_scale and d.weight_digits != 1:
        yield f"two_scale needs weights of one digit, not {d.weight_digits}"
    if d.residual_after and not d.residual:
        yield "residual_after needs residual"
    if d.residual_max and not d.residual_after:
        yield "residual_max needs residual_after"
    if d.residual and not (post.res_window and post.res_first < post.res_chunks):
        yield "its residual operand is empty, or begins beyond its chunks"
    limit = 1 << config.residual_bits - 1
    if not -limit <= post.low <= post.high < limit:
        yield f"results from {post.low} to {post.high} do not lie within residual_bits"
    if d.mode == Mode.DIGITS:
        low, high = config.encoding.digit_range(d.out_digits)
        if d.out_digits > config.value_digits or post.low < low or post.high > high:
            yield f"results from {post.low} to {post.high} do not fit {d.out_digits} digits"
    if d.mode == Mode.NONE and d.out_digits != 1:
        yield f"mode NONE needs out_digits 1, not {d.out_digits}"
