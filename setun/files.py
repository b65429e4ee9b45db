"""Files that appear whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from setun_hw.errors import SetunError


class OutputError(SetunError):
    """An output that cannot be written where the user wants it."""


def make_folder(path: str | Path) -> Path:
    """Create a folder (and its parents) unless it is there.

    Raises
    ------
    OutputError
        When that is impossible.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be created ({error.strerror})") from None
    return path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; whatever is written there takes its place when the block ends well.

    Raises
    ------
    OutputError
        Before the block runs if the folder is missing or ``path`` is a folder; after it if the file cannot be put
        there.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise OutputError(f"{path}: cannot be written, folder {path.parent} does not exist")
    if path.is_dir():
        raise OutputError(f"{path}: cannot be written, it is a folder")
    temporary = path.with_name(f".{path.stem[:64]}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        temporary.unlink(missing_ok=True)
