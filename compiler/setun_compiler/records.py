"""Programs as plain JSON values and back, every field checked for its type."""

import dataclasses
import math
import types
import typing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from setun_compiler.host import port_range
from setun_compiler.program import Program
from setun_hw.config import Config
from setun_hw.errors import SetunError

#: largest magnitude of an integer in a program's records
MAX_INTEGER = 1 << 53


class RecordError(SetunError):
    """JSON values that are no program."""


def to_plain(program: Program) -> dict[str, Any]:
    """Nested dicts, lists, strings and numbers; arrays and bytes are left as they are."""
    plain = dataclasses.asdict(program)
    plain["config"] = program.config.to_dict()
    return plain


def from_plain(plain: Any, *, image: bytes, scale: NDArray[np.float64], bias: NDArray[np.float64]) -> Program:
    """Build a program from its JSON part and its arrays.

    Raises
    ------
    RecordError
        Naming the field that is missing, unknown or of a wrong type.
    ConfigError
        When the configuration is impossible.
    """
    if not isinstance(plain, dict) or not isinstance(plain.get("output"), dict):
        raise RecordError("program must be an object with an output")
    complete = {**plain, "image": image, "output": {**plain["output"], "scale": scale, "bias": bias}}
    program: Program = _record(Program, complete, "program")
    channels = program.output.map.channels
    if scale.shape != (channels,) or bias.shape != (channels,):
        raise RecordError(f"output scale and bias must have {channels} elements")
    _check_maps(program)
    return program


def check_layers(program: Program) -> None:
    """Refuse numbers that reports could not index or divide with.

    Raises
    ------
    RecordError
        Naming the layer or the tensor.
    """
    for layer in program.layers:
        where, own = f"layer {layer.name!r}", layer.descriptors
        if list(own) != sorted(set(own)) or (own and not 0 <= own[0] <= own[-1] < program.run_count):
            raise RecordError(f"{where}: descriptors {own} are not in the order of a list of {program.run_count}")
        if min(layer.macs, layer.digit_macs, layer.zero_weights, layer.accumulator_bound) < 0:
            raise RecordError(f"{where} has a negative count")
        if layer.zero_weights > layer.weights or min(*layer.in_shape, *layer.out_shape) < 1:
            raise RecordError(f"{where} has impossible counts or shapes")
    for place in program.placements:
        if min(place.base, place.words, place.first) < 0 or not place.first <= place.last < program.run_count:
            raise RecordError(f"tensor {place.tensor!r} has an impossible place")


def _check_maps(program: Program) -> None:
    """Sizes that the host relies on when it allocates."""
    together = program.images // max(1, program.rounds)
    if together * program.rounds != program.images or together not in (1, program.config.strips):
        raise RecordError(f"{program.rounds} rounds do not take {program.images} images")
    for name, port, total in (
        ("input", program.input, program.input_bytes),
        ("output", program.output, program.output_bytes),
    ):
        m = port.map
        rows, banks = (m.line_rows, program.config.strips) if m.line_rows else (m.rows, 1)
        if min(m.channels, m.rows, m.cols, m.digits, m.row_bytes, rows) < 1 or m.offset or m.size != rows * m.row_bytes:
            raise RecordError(f"{name} map is inconsistent")
        if total != program.rounds * (1 if m.line_rows else together) * m.size:
            raise RecordError(f"{name} region of {total} bytes does not fit {program.images} images of {m.size}")
        own = rows - m.line_halo
        if m.line_rows and (name == "output" or own < 1 or m.rows > own * (1 if together > 1 else banks)):
            raise RecordError(f"{name} map is inconsistent")
        if m.line_halo < 0 or (m.line_halo and not m.line_rows):
            raise RecordError(f"{name} map is inconsistent")
        blocks = -(-m.channels // program.config.lanes)
        word_bits = banks * program.config.word_bits
        if m.row_words != m.cols * blocks * m.digits or m.row_bytes * 8 < m.row_words * word_bits:
            raise RecordError(f"{name} map is inconsistent")
        elements = math.prod(port.shape)
        if name == "input" and program.input.unfold:
            u = program.input.unfold
            if min(u.rows, u.cols, u.channels, *u.kernel, *u.stride, *u.dilation) < 1 or min(u.padding) < 0:
                raise RecordError("unfold is inconsistent")
            if elements != u.rows * u.cols * u.channels or m.channels != u.kernel[0] * u.kernel[1] * u.channels:
                raise RecordError("unfold is inconsistent")
            rows, cols = (
                (size + before + after - (kernel - 1) * dilation - 1) // stride + 1
                for size, before, after, kernel, dilation, stride in zip(
                    (u.rows, u.cols), u.padding[:2], u.padding[2:], u.kernel, u.dilation, u.stride, strict=True
                )
            )
            if rows < m.rows or cols < m.cols:
                raise RecordError("unfold is inconsistent")
        elif elements != m.channels * m.rows * m.cols or min(port.shape, default=1) < 1:
            raise RecordError(f"{name} shape {port.shape} does not fit its map")
    port = program.input
    if port.axes and sorted(port.axes) != list(range(len(port.shape))):
        raise RecordError(f"input axes {port.axes} are no permutation")
    if not port.scale > 0 or port.low > port.high or port.high - port.low > 1 << 20:
        raise RecordError("input scale or range is impossible")
    if port.table and len(port.table) != port.high - port.low + 1:
        raise RecordError("input table does not fit its range")
    lowest, highest = program.config.encoding.digit_range(port.map.digits)
    if port.map.digits > 8 or port_range(port)[0] < lowest or port_range(port)[1] > highest:
        raise RecordError(f"input values do not fit {port.map.digits} digits")


def _record(kind: Any, plain: Any, where: str) -> Any:
    if not isinstance(plain, dict):
        raise RecordError(f"{where} must be an object")
    hints = typing.get_type_hints(kind)
    for name in plain:
        if name not in hints:
            raise RecordError(f"{where}.{name} is unknown")
    for name in hints:
        if name not in plain:
            raise RecordError(f"{where}.{name} is missing")
    return kind(**{name: _value(hint, plain[name], f"{where}.{name}") for name, hint in hints.items()})


def _value(hint: Any, plain: Any, where: str) -> Any:
    origin, parameters = typing.get_origin(hint), typing.get_args(hint)
    if hint is Config:
        if not isinstance(plain, dict):
            raise RecordError(f"{where} must be an object")
        return Config.from_dict(plain, where)
    if dataclasses.is_dataclass(hint):
        return _record(hint, plain, where)
    if origin is np.ndarray:
        return plain  # passed in by the reader, checked there
    if origin in (typing.Union, types.UnionType):
        return None if plain is None else _value(parameters[0], plain, where)
    if origin is tuple:
        return _tuple(parameters, plain, where)
    if hint is float and type(plain) is int and abs(plain) <= MAX_INTEGER:
        return float(plain)
    if type(plain) is not hint:
        raise RecordError(f"{where} must be {hint.__name__}")
    if (hint is int and abs(plain) > MAX_INTEGER) or (hint is float and not math.isfinite(plain)):
        raise RecordError(f"{where} is out of range")
    return plain


def _tuple(parameters: tuple[Any, ...], plain: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(plain, list):
        raise RecordError(f"{where} must be a list")
    if parameters[-1] is Ellipsis:
        return tuple(_value(parameters[0], item, f"{where}[{k}]") for k, item in enumerate(plain))
    if len(plain) != len(parameters):
        raise RecordError(f"{where} must have {len(parameters)} elements")
    pairs = enumerate(zip(parameters, plain, strict=True))
    return tuple(_value(hint, item, f"{where}[{k}]") for k, (hint, item) in pairs)
