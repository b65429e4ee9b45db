"""Conditions of docs/machine.md on fixed-point post-processing that the fields alone decide."""

from collections.abc import Iterator

from setun_hw.config import Config
from setun_hw.descriptor import Compute, Descriptor, Mode, Opcode, Post
from setun_sim.errors import SimulationError


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
