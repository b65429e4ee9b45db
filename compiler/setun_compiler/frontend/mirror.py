"""Which channels' weights are negated, so that codes rise and all spellings of a network become one."""

import numpy as np

from setun_compiler.frontend import steps
from setun_compiler.frontend.grid import Integers
from setun_compiler.network import Threshold


def first_sign(weights: Integers) -> Integers:
    """The sign of each output channel's first weight that is not 0; +1 where all are 0."""
    flat = weights.reshape(weights.shape[0], -1)
    first = np.take_along_axis(flat, (flat != 0).argmax(axis=1)[:, None], axis=1)[:, 0]
    return np.where(first < 0, -1, 1)


def to_flip(table: Threshold, weights: Integers) -> Integers:
    """Channels whose weights are better negated: codes then rise, and all spellings of a network become one.

    Where codes neither rise nor fall throughout, the sequence that is larger decides, and last the first weight's sign.
    """
    direction = steps.direction(table)
    flip = np.where(direction == 0, first_sign(weights) < 0, direction == -1)
    for channel in np.flatnonzero(direction == 2):
        row = table.codes[channel]
        codes = row[: int(np.count_nonzero(np.diff(row))) + 1].tolist()
        if codes == codes[::-1]:
            flip[channel] = first_sign(weights[channel : channel + 1])[0] < 0
        else:
            flip[channel] = codes[::-1] > codes
    return flip
