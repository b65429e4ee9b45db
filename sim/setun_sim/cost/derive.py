"""How the derived numbers of the shipped technologies were computed; tests hold the files to it.

Energies between nodes and voltages: Stillmaker and Baas, Integration 58 (2017), in the form that Accelergy's plug-in
gives
(E ~ a*V^2 + b*V + c). SRAM: NNawaq's form slope*(words + b)*(width + c), fitted to a sweep of CACTI 7 at 64-bit words.
"""

import numpy as np

_ENERGY = {
    130: (7.171, -6.709, 2.904), 90: (4.762, -4.781, 2.092), 65: (3.755, -4.398, 1.975), 45: (1.103, -0.362, 0.2767),
    32: (0.9559, -0.7823, 0.471), 20: (0.373, -0.1582, 0.04104), 16: (0.2958, -0.1241, 0.03024),
    14: (0.2363, -0.09675, 0.02239), 10: (0.2068, -0.09311, 0.02375), 7: (0.1776, -0.09097, 0.02447),
}  # fmt: skip
#: area of a node over that of 45 nm
AREA = {32: 0.46, 20: 0.21, 16: 0.19, 14: 0.17, 10: 0.10, 7: 0.059}

#: CACTI 7 (HewlettPackard/cacti at 1ffd8df) with Accelergy's settings, one read-write port, 64-bit words, 300 K:
#: KiB: read energy at 45 nm lstp, write, read at 32 nm lstp; at 22 nm lstp: read, write [pJ], static power [mW],
#: area [um2/bit]
CACTI = {
    1: (1.67, 3.49, 0.90, 0.38, 0.79, 0.0003, 0.105),
    2: (2.76, 4.24, 1.49, 0.65, 0.94, 0.0005, 0.110),
    4: (3.39, 6.45, 2.66, 1.17, 1.25, 0.0009, 0.107),
    8: (6.14, 7.88, 3.44, 1.59, 1.77, 0.0016, 0.096),
    16: (11.6, 10.7, 6.55, 2.64, 2.28, 0.0029, 0.115),
    32: (17.0, 15.4, 8.26, 3.79, 3.10, 0.0055, 0.102),
    64: (25.9, 19.6, 12.9, 5.67, 4.43, 0.0098, 0.112),
}
#: column of :data:`CACTI` by what the fit is for
COLUMNS = {"45 read": 0, "45 write": 1, "32 read": 2, "22 read": 3, "22 write": 4}
#: bits that NNawaq's fits add to the width of a word; CACTI was swept at one width only
EXTRA_BITS = {"read": 8.2, "write": 23.0}


def energy_factor(node_nm: int, voltage_v: float, from_nm: int = 45, from_v: float = 0.9) -> float:
    """Energy of a switch at one node and voltage over that at another."""

    def energy(node: int, v: float) -> float:
        a, b, c = _ENERGY[node]
        return a * v * v + b * v + c

    return energy(node_nm, voltage_v) / energy(from_nm, from_v)


def fit_sram(what: str) -> tuple[float, float, float]:
    """Slope in fJ, words and bits of the bilinear form with the smallest squared relative error over 1 to 64 KiB."""
    width = EXTRA_BITS[what.split()[1]]
    words = np.array([kib * 128.0 for kib in CACTI])
    energy = np.array([row[COLUMNS[what]] for row in CACTI.values()]) * 1e3 / (64 + width)
    design = np.stack([words / energy, 1 / energy], 1)
    slope, offset = np.linalg.lstsq(design, np.ones(len(words)), rcond=None)[0]
    return float(slope), float(offset / slope), width


def fit_static() -> float:
    """Static power per bit at 22 nm lstp in nW: the mean over the sweep."""
    return float(np.mean([row[5] * 1e6 / (kib * 8192) for kib, row in CACTI.items()]))
