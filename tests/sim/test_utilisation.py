"""Networks in their recommended configurations reach what the mapping can, every layer and every transfer counted."""

import pytest

from benchmarks.utilisation import WAYS, Way, measure

#: least share of the ideal, for one image and in the way that is recommended for throughput
LEAST = {"resnet20": (0.94, 0.95), "vgg-s": (0.95, 0.95), "resnet18": (0.93,), "cutie": (0.95,)}


@pytest.mark.parametrize(("name", "way", "least"), [
    (name, way, least) for name, shares in LEAST.items() for way, least in zip(WAYS[name], shares, strict=True)
])  # fmt: skip
def test_recommended_configurations_come_near_the_ideal(name: str, way: Way, least: float) -> None:
    found = measure(name, way)
    assert least <= found.run.share < 1
    assert all(layer.cycles >= layer.ideal for layer in found.layers)
    # every cycle is an ideal step or lost to a cause
    assert found.run.cycles == pytest.approx(found.run.ideal + sum(found.run.lost.values()))


def test_the_ideal_of_resnet18_by_hand() -> None:
    """Of 112 x 112 pixels a strip has 16 rows; 147 taps take five words of six digits, for two groups of channels. Four
    stages of four 3 x 3 convolutions take 16128 steps each, but for the first of a stage that halves its map, which
    takes half of them, and 896 for its projection. The last layer has seven digits: sums of seven rows."""
    found = measure("resnet18", WAYS["resnet18"][0])
    halved = [8064, 896, 16128, 16128, 16128]
    ideals = [int(layer.ideal) for layer in found.layers]
    assert ideals == [16 * 112 * 2 * 5 * 6, *[16128] * 4, *halved, *halved, *halved, 0, 0, 32 * 16 * 7]
    assert found.run.cycles < 375_000


def test_the_ideal_of_resnet20_by_hand() -> None:
    """A strip has 8 x 32 pixels, then half the rows and columns and twice the channels, in and out: 2304 steps each.
    The first layer's 27 taps take two words of six digits; the last reads 8 rows of 64 channels of five digits."""
    found = measure("resnet20", WAYS["resnet20"][0])
    ideals = [int(layer.ideal) for layer in found.layers]
    assert ideals == [8 * 32 * 2 * 6, *[2304] * 6, 1152, *[2304] * 5, 1152, *[2304] * 5, 0, 8 * 4 * 5]
    assert found.run.macs == 40_555_520
