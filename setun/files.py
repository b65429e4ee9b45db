"""Files that appear whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
def replacing(path: str | Path, *read: str | Path | None) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; whatever is written there takes its place when the block ends well.

    ``read`` are the files that the block reads. A link at ``path`` stays, and what it leads to is replaced.

    Raises
    ------
    OutputError
        Before the block runs if the folder is missing or not writable, or if ``path`` is a folder, a device or one of
        the files ``read``; after it if the file cannot be put there.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise OutputError(f"{path}: cannot be written, folder {path.parent} does not exist")
    if path.is_dir():
        raise OutputError(f"{path}: cannot be written, it is a folder")
    if path.exists():
        # what is put in the place of a device or a pipe would take it away from everybody
        if not path.is_file():
            raise OutputError(f"{path}: cannot be written, it is no regular file")
        if any(source is not None and os.path.exists(source) and path.samefile(source) for source in read):
            raise OutputError(f"{path}: cannot be written, it is read as input")
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.stem[:64]}.{secrets.token_hex(4)}{target.suffix}")
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
