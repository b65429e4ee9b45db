"""Weights in files beside the model: only plain names, only bytes that are really there."""

import hashlib
import os
import stat
from pathlib import Path

from setun_compiler.frontend.errors import ModelError, printable

#: bytes all external tensors of a model may take together
TOTAL_LIMIT = 4 << 30


class ExternalFiles:
    """Reads byte ranges of files in one directory and remembers which files were used."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.used: set[str] = set()
        self._total = 0

    def read(self, tensor: str, fields: dict[str, str], expected: int) -> bytes:
        """The ``expected`` bytes of a tensor.

        Raises
        ------
        ModelError
            Naming the tensor, when the place is not a plain file name beside the model, is a link or not a file,
            or does not hold that many bytes where they should be.
        """
        where = f"external data of {printable(tensor)}"
        location = fields.get("location", "")
        plain = location not in ("", ".", "..") and not any(char in location for char in "/\\:\0")
        if not plain or not location.isprintable():
            raise ModelError(f"{where}: {printable(location)} is not a plain file name beside the model")
        try:
            offset = int(fields.get("offset", "0"))
            length = int(fields.get("length", str(expected)))
        except ValueError:
            raise ModelError(f"{where}: offset and length must be integers") from None
        if length != expected:
            raise ModelError(f"{where}: the tensor needs {expected} bytes, but the length given is {length}")
        self._total += expected
        if self._total > TOTAL_LIMIT:
            raise ModelError(f"{where}: the model's external tensors take more than {TOTAL_LIMIT} bytes")
        try:
            handle = os.open(self.directory / location, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | os.O_NONBLOCK)
        except OSError as error:
            reason = "is a link" if (self.directory / location).is_symlink() else (error.strerror or "cannot be read")
            raise ModelError(f"{where}: {printable(location)} {reason}") from None
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ModelError(f"{where}: {printable(location)} is not a regular file")
            if offset < 0 or offset + expected > status.st_size:
                raise ModelError(
                    f"{where}: bytes {offset} to {offset + expected} do not lie in {printable(location)} "
                    f"of {status.st_size} bytes"
                )
            file.seek(offset)
            data = file.read(expected)
        if len(data) != expected:
            raise ModelError(f"{where}: {printable(location)} ended early")
        self.used.add(location)
        return data

    def digest(self, model: bytes) -> str:
        """SHA-256 over the model's bytes and the external files that were used, in name order, hex."""
        digest = hashlib.sha256(model)
        for name in sorted(self.used):
            with (self.directory / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()
