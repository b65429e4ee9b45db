"""Who touched each on-chip word last, so that a descriptor waits for exactly that.

Transfers happen one after another and channel groups happen one after another; only a transfer and a group can meet.
Counts are those of docs/machine.md: a transfer waits until so many groups are complete, a group until so many
transfers are.
"""

import numpy as np


class Memory:
    """Last reader and writer of every word, as completed groups or transfers since the program started."""

    def __init__(self, words: int) -> None:
        self._read = np.zeros(words, np.int64)  # by groups
        self._written = np.zeros(words, np.int64)  # by groups
        self._loaded = np.zeros(words, np.int64)  # by transfers
        self._stored = np.zeros(words, np.int64)  # by transfers

    def load(self, first: int, end: int, transfer: int) -> int:
        """Groups that must be complete before the ``transfer``-th transfer overwrites words."""
        after = self.free_after(first, end)
        self._loaded[first:end] = transfer
        return after

    def store(self, first: int, end: int, transfer: int) -> int:
        """Groups that must be complete before the ``transfer``-th transfer reads words."""
        self._stored[first:end] = transfer
        return int(self._written[first:end].max(initial=0))

    def read(self, first: int, end: int, group: int) -> int:
        """Transfers that must be complete before groups up to the ``group``-th read words."""
        self._read[first:end] = group
        return int(self._loaded[first:end].max(initial=0))

    def write(self, first: int, end: int, group: int) -> int:
        """Transfers that must be complete before groups up to the ``group``-th write words."""
        self._written[first:end] = group
        return int(max(self._loaded[first:end].max(initial=0), self._stored[first:end].max(initial=0)))

    def free_after(self, first: int, end: int) -> int:
        """Groups after which nothing on the array needs the words any more."""
        return int(max(self._read[first:end].max(initial=0), self._written[first:end].max(initial=0)))
