"""Arrays from files of unknown origin: sizes are checked against the file before anything is allocated."""

import math
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from setun_hw.errors import SetunError

#: most bytes one array may take in memory
LARGEST_ARRAY = 1 << 30


class ArrayError(SetunError):
    """An array file that cannot be used; the text names the file."""


def load_array(path: str | Path, key: str = "x") -> NDArray[Any]:
    """Read a numeric array from an ``.npy`` file, or the array ``key`` from an ``.npz`` file.

    The kind of file is told by its content. Object arrays are refused: nothing is unpickled.

    Raises
    ------
    ArrayError
        When the file is missing, truncated, not numeric, larger than ``LARGEST_ARRAY``, or holds NaN or infinities.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(4)
            file.seek(0)
            zipped = start in (b"PK\x03\x04", b"PK\x05\x06")  # the second one holds nothing
            array = _load_member(path, file, key) if zipped else _read(path, file, path.stat().st_size)
    except OSError as error:
        raise ArrayError(f"{path}: cannot be read ({error.strerror or error})") from None
    except ValueError as error:  # a name that no file can have
        raise ArrayError(f"{path}: cannot be read ({error})") from None
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ArrayError(f"{path}: holds NaN or infinite values")
    return array


def array_names(path: str | Path) -> tuple[str, ...]:
    """Names of the arrays in an ``.npz`` file; none of any other file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(name.removesuffix(".npy") for name in archive.namelist())
    except (OSError, ValueError, zipfile.BadZipFile):  # whoever loads an array says what is wrong
        return ()


def _load_member(path: Path, file: IO[bytes], key: str) -> NDArray[Any]:
    try:
        with zipfile.ZipFile(file) as archive:
            names = {name.removesuffix(".npy"): name for name in archive.namelist()}
            if key not in names:
                known = ", ".join(sorted(names)) or "nothing"
                raise ArrayError(f"{path}: has no array {key!r}, but {known}")
            with archive.open(names[key]) as member:
                return _read(path, member, archive.getinfo(names[key]).file_size)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise ArrayError(f"{path}: not a readable npz file ({error})") from None


def _read(path: Path, file: IO[bytes], size: int) -> NDArray[Any]:
    """One npy stream of ``size`` bytes: the header must account for all of them."""
    try:
        version = npy.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ArrayError(f"{path}: npy format {version[0]}.{version[1]} holds no plain array of numbers")
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = header(file)
    except ValueError as error:
        first = str(error).splitlines()[0]
        raise ArrayError(f"{path}: neither an npy nor an npz file ({first})") from None
    if dtype.kind not in "biuf":
        raise ArrayError(f"{path}: elements must be numbers, not {dtype}")
    if 0 in shape:
        raise ArrayError(f"{path}: is empty, its shape is {shape}")
    if not shape:
        raise ArrayError(f"{path}: holds a single number, not one row for each input")
    needed = math.prod(shape) * dtype.itemsize
    if needed > LARGEST_ARRAY:
        raise ArrayError(f"{path}: an array of {needed} bytes is larger than the {LARGEST_ARRAY} that are accepted")
    held = size - file.tell()
    if needed != held:
        raise ArrayError(f"{path}: the header promises {needed} bytes of data, but the file holds {held}")
    data = file.read(needed)
    if len(data) != needed:
        raise ArrayError(f"{path}: ends after {len(data)} of {needed} bytes of data")
    array: NDArray[Any] = np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="))
