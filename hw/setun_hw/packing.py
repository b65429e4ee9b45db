"""Five trits in a byte, in a code whose decoder is 15 four-input lookup tables.

243 of the 256 bytes are code words. The byte's fields, lowest bit first, are ``a`` (2 bits), ``u`` (3 bits) and
``x`` (3 bits). Most words hold the first trit in ``a``, the next two in ``u`` and the last two in ``x``:

====  =======  =====================================================================
``a``  0, 1, 2  first trit 0, +1, -1; second and third from ``u`` = 0..6 by the table below
``a``  3        first trit 0, +1, -1 by the low two bits of ``u``; second and third are
                (+1, -1) or (-1, -1) by the high bit of ``u``
``x``  0..7     fourth and fifth trit by the table below
====  =======  =====================================================================

=========  ======  =======  =======  =======  =======  =======  =======  ========
code       0       1        2        3        4        5        6        7
pair in u  (0, 0)  (+1, 0)  (-1, 0)  (0, -1)  (0, +1)  (+1, +1) (-1, +1) see below
pair in x  (0, 0)  (+1, 0)  (-1, 0)  (+1, -1) (0, +1)  (+1, +1) (-1, +1) (-1, -1)
=========  ======  =======  =======  =======  =======  =======  =======  ========

``u`` = 7 marks the 27 words that do not fit: their fourth and fifth trits are (0, -1), the pair that ``x`` lacks, and
``x`` takes the place of ``u``. Five zeros are the byte 0. The code was derived for this project; the idea of choosing
it for its decoder is Muller, Prost-Boucle, Bourge and Petrot's ("Efficient decompression of binary encoded balanced
ternary sequences").
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from setun_hw.errors import SetunError

#: trits in a byte
TRITS = 5

_TRIT = (0, 1, -1)
_PAIR_U = ((0, 0), (1, 0), (-1, 0), (0, -1), (0, 1), (1, 1), (-1, 1))
_PAIR_X = ((0, 0), (1, 0), (-1, 0), (1, -1), (0, 1), (1, 1), (-1, 1), (-1, -1))


class PackingError(SetunError):
    """A value that is no trit, or a byte that is no code word."""


def _words() -> Iterator[tuple[int, tuple[int, ...]]]:
    """Every code word with its trits."""
    for byte in range(256):
        a, u, x = byte & 3, byte >> 2 & 7, byte >> 5
        last = _PAIR_X[x]
        if u == 7:
            u, last = x, (0, -1)
        if a != 3 and u != 7:
            yield byte, (_TRIT[a], *_PAIR_U[u], *last)
        elif a == 3 and u & 3 != 3:
            yield byte, (_TRIT[u & 3], -1 if u & 4 else 1, -1, *last)


_POWERS = 3 ** np.arange(TRITS)
#: trits of each byte; 2 marks bytes that are no code word
DECODE: npt.NDArray[np.int8] = np.full((256, TRITS), 2, np.int8)
#: byte of each group of trits, indexed by sum of 3^i * (trit_i + 1)
ENCODE: npt.NDArray[np.uint8] = np.zeros(3**TRITS, np.uint8)
for _byte, _trits in _words():
    DECODE[_byte] = _trits
    ENCODE[int(((DECODE[_byte] + 1) * _POWERS).sum())] = _byte


def pack(trits: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Pack trits along the last axis, five to a byte; the last byte is filled up with zeros.

    Parameters
    ----------
    trits:
        Integers -1, 0, +1 of shape ``(..., n)``.

    Returns
    -------
    Bytes of shape ``(..., ceil(n / 5))``.

    Raises
    ------
    PackingError
        When a value is no trit.
    """
    array = np.asarray(trits)
    if array.size and (array.min() < -1 or array.max() > 1):
        bad = array.min() if array.min() < -1 else array.max()
        raise PackingError(f"only trits -1, 0, +1 can be packed, not {bad}")
    fill = -array.shape[-1] % TRITS
    padded = np.concatenate([array.astype(np.uint8), np.zeros((*array.shape[:-1], fill), np.uint8)], axis=-1)
    groups = padded.reshape(*array.shape[:-1], padded.shape[-1] // TRITS, TRITS) + np.uint8(1)
    return ENCODE[groups @ _POWERS.astype(np.uint8)]


def unpack(data: npt.ArrayLike) -> npt.NDArray[np.int8]:
    """Unpack bytes along the last axis; the inverse of :func:`pack` up to the zeros it fills up with.

    Parameters
    ----------
    data:
        ``uint8`` values of shape ``(..., n)``.

    Returns
    -------
    Trits of shape ``(..., 5 * n)``.

    Raises
    ------
    PackingError
        When a byte is no code word, naming it and its position.
    """
    array = np.asarray(data, np.uint8)
    trits = DECODE[array]
    bad = np.argwhere(trits[..., 0] == 2)
    if bad.size:
        where = tuple(int(index) for index in bad[0])
        raise PackingError(f"byte {array[where]:#04x} at position {', '.join(map(str, where))} holds no packed trits")
    return trits.reshape(*array.shape[:-1], TRITS * array.shape[-1])
