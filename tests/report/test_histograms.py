"""Histograms count the real pixels and channels of a map, whatever fills up strips, groups and bands."""

from collections import Counter

import numpy as np
import pytest

from setun_compiler import host, interpret
from setun_compiler.backend import compile_network
from setun_compiler.network import Integers, Network
from setun_hw.config import Config
from setun_sim.report.histograms import Histogram, histogram, histograms
from tests.compiler.small_network import network

CONFIG = Config(name="c", rows=4, lanes=8, strips=3, post=2, activation_words=256, weight_words=64, parameter_words=32)


def counted(found: Histogram) -> Counter[int]:
    assert found.width == 1
    return Counter({found.first + k: count for k, count in enumerate(found.sums) if count})


def run(made: Network, config: Config, x: Integers, *, batch: bool = False) -> list[Histogram]:
    program = compile_network(made, config, batch=batch)
    return histograms(program, host.encode(program, x.astype(float))[0].tobytes())


def sums(made: Network, x: Integers) -> Counter[int]:
    """Every sum of the one layer, by the interpreter of networks, which knows no strips."""
    (layer,) = made.layers
    return Counter(interpret.run_layer(layer, x).output.ravel().tolist())


def case(shape: tuple[int, int, int], out: int, **fields: object) -> tuple[Network, Integers]:
    random = np.random.default_rng(3)
    weights = random.integers(-1, 2, (out, shape[0], 3, 3))
    return network(weights, shape, padding=(1, 1, 1, 1), **fields), random.integers(-1, 2, (1, *shape))  # type: ignore[arg-type]


@pytest.mark.parametrize(("shape", "out"), [((3, 7, 5), 5), ((9, 4, 4), 6), ((2, 2, 3), 1), ((8, 6, 6), 8)])
def test_sums_are_those_of_the_network(shape: tuple[int, int, int], out: int) -> None:
    made, x = case(shape, out)
    (found,) = run(made, CONFIG, x)
    assert counted(found) == sums(made, x)
    assert found.thresholds == (0,) * len(found.sums)
    assert (found.smallest, found.largest) == (min(sums(made, x)), max(sums(made, x)))


def test_bands_count_each_row_once() -> None:
    made, x = case((8, 25, 6), 8)
    narrow = CONFIG.replace(activation_words=48)
    program = compile_network(made, narrow)
    assert len(program.layers[0].descriptors) > 2  # several COMPUTEs
    (found,) = run(made, narrow, x)
    assert counted(found) == sums(made, x)


def test_a_batch_counts_every_image() -> None:
    made, x = case((3, 4, 4), 5)
    images = np.concatenate([x, -x, np.zeros_like(x)])
    (found,) = run(made, CONFIG, images, batch=True)
    assert counted(found) == sums(made, images)


def test_thresholds_are_those_of_real_channels() -> None:
    thresholds = np.array([[-2, 1], [0, 3], [-1, 99]])
    made, x = case((3, 6, 5), 3, thresholds=thresholds, codes=np.tile([-1, 0, 1], (3, 1)))
    (found,) = run(made, CONFIG, x)
    inside = [t for t in thresholds.ravel().tolist() if found.smallest <= t <= found.largest]
    marks = Counter({found.first + k: count for k, count in enumerate(found.thresholds) if count})
    assert marks == Counter(inside)
    assert 99 not in inside


def test_wide_ranges_share_bins_of_equal_width() -> None:
    found = histogram("x", np.array([-100, -99, 0, 99]), [np.array([-100, 98, 500])])
    assert (found.first, found.width, len(found.sums)) == (-100, 5, 40)
    assert (found.sums[0], found.sums[20], found.sums[39], sum(found.sums)) == (2, 1, 1, 4)
    assert (found.thresholds[0], found.thresholds[39], sum(found.thresholds)) == (1, 1, 2)
