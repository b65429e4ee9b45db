"""The program file: a safetensors container with checked contents (docs/program-format.md).

Nothing in it is executed. Sizes are checked before anything is read, a SHA-256 covers all content, every field is
checked for its type, and every descriptor against the memories and regions it touches.
"""

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize

from setun_compiler.backend.check_program import check_program
from setun_compiler.program import Program
from setun_compiler.records import RecordError, check_layers, from_plain, to_plain
from setun_hw.errors import SetunError

FORMAT = "setun-program"
#: format version; a reader takes exactly its own
VERSION = 1
#: largest file a reader opens, in bytes
MAX_BYTES = 4 << 30
#: largest safetensors header, in bytes
MAX_HEADER = 64 << 20
#: arrays of a program, kept out of the JSON part
_ARRAYS = {"image": "U8", "output_bias": "F64", "output_scale": "F64"}
_KINDS = {"U8": np.uint8, "F64": np.float64}


class ContainerError(SetunError):
    """A file that is no intact program."""


def save(program: Program, path: str | Path) -> None:
    """Write a program; the file appears under its name only when it is complete.

    Raises
    ------
    ContainerError
        When the file cannot be written.
    """
    path = Path(path)
    plain = to_plain(program)
    del plain["image"], plain["output"]["scale"], plain["output"]["bias"]
    arrays: dict[str, NDArray[Any]] = {
        "image": np.frombuffer(program.image, np.uint8),
        "output_scale": program.output.scale,
        "output_bias": program.output.bias,
    }
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    metadata = {"format": FORMAT, "version": str(VERSION), "program": text, "sha256": _digest(text, arrays)}
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(_safetensors(arrays, metadata))
        temporary.chmod(0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise ContainerError(f"{path}: cannot be written ({error.strerror})") from None


def load(path: str | Path) -> Program:
    """Read a program and check all of it.

    Raises
    ------
    ContainerError
        When the file cannot be read, is truncated, altered, of another version, or no program of a possible machine.
    """
    path = Path(path)
    data = _read(path)
    metadata = _metadata(data, path)
    if metadata.get("format") != FORMAT:
        raise ContainerError(f"{path}: is no setun program")
    if metadata.get("version") != str(VERSION):
        raise ContainerError(f"{path}: has format version {metadata.get('version')!r}, but this reader takes {VERSION}")
    arrays = _arrays(data, path)
    text = metadata.get("program", "")
    if _digest(text, arrays) != metadata.get("sha256"):
        raise ContainerError(f"{path}: was altered or damaged (its SHA-256 does not match)")
    try:
        plain: Any = json.loads(text)
        program = from_plain(
            plain, image=arrays["image"].tobytes(), scale=arrays["output_scale"], bias=arrays["output_bias"]
        )  # fmt: skip
        check_program(program)
        check_layers(program)
    except (RecordError, RecursionError, ValueError, SetunError) as error:
        raise ContainerError(f"{path}: {error}") from None
    return program


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise ContainerError(f"{path}: has {size} bytes, more than the {MAX_BYTES} a program may have")
            data = file.read(size)
    except OSError as error:
        raise ContainerError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:  # a name that no file can have
        raise ContainerError(f"{path}: cannot be read ({error})") from None
    if len(data) < 8:
        raise ContainerError(f"{path}: is no setun program")
    return data


def _metadata(data: bytes, path: Path) -> dict[str, str]:
    """The string table of a safetensors header."""
    length = int.from_bytes(data[:8], "little")
    if length > min(MAX_HEADER, len(data) - 8):
        raise ContainerError(f"{path}: is no setun program, or truncated")
    try:
        metadata = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    except (ValueError, AttributeError, RecursionError):
        raise ContainerError(f"{path}: is no setun program") from None
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ContainerError(f"{path}: is no setun program")
    return metadata


def _arrays(data: bytes, path: Path) -> dict[str, NDArray[Any]]:
    try:
        found: dict[str, Any] = dict(deserialize(data))  # type: ignore[no-untyped-call]
    except SafetensorError:
        raise ContainerError(f"{path}: is truncated or no safetensors file") from None
    if set(found) != set(_ARRAYS):
        raise ContainerError(f"{path}: must hold exactly the tensors {', '.join(sorted(_ARRAYS))}")
    arrays: dict[str, NDArray[Any]] = {}
    for name, wanted in _ARRAYS.items():
        entry = found[name]
        if entry["dtype"] != wanted or len(entry["shape"]) != 1:
            raise ContainerError(f"{path}: tensor {name} must be a vector of {wanted}")
        arrays[name] = np.frombuffer(bytes(entry["data"]), _KINDS[wanted])
        if wanted == "F64" and not np.isfinite(arrays[name]).all():
            raise ContainerError(f"{path}: tensor {name} holds a number that is not finite")
    return arrays


def _safetensors(arrays: dict[str, NDArray[Any]], metadata: dict[str, str]) -> bytes:
    """A safetensors file. Equal contents give equal bytes, which the library's own writer does not promise."""
    header: dict[str, Any] = {"__metadata__": metadata}
    parts, at = [], 0
    for name in sorted(_ARRAYS, key=lambda name: (_ARRAYS[name], name)):  # floats first, so that they lie aligned
        part = np.ascontiguousarray(arrays[name], _KINDS[_ARRAYS[name]]).tobytes()
        header[name] = {"dtype": _ARRAYS[name], "shape": list(arrays[name].shape), "data_offsets": [at, at + len(part)]}
        parts.append(part)
        at += len(part)
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(parts)


def _digest(text: str, arrays: dict[str, NDArray[Any]]) -> str:
    """SHA-256 over the version, the JSON text and the arrays, each preceded by its length."""
    digest = hashlib.sha256()
    for part in (f"{FORMAT} {VERSION}".encode(), text.encode(), *(arrays[name].tobytes() for name in sorted(_ARRAYS))):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()
