"""Samples packed by compiled code: byte for byte what the host's NumPy makes of them."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from setun_compiler import compile_network, host
from setun_compiler.host import InputError
from setun_compiler.layout import map_words, pack_codes
from setun_compiler.program import Program, Unfold
from setun_hw.config import Config, Encoding
from setun_sim import simulate
from setun_sim.encode import encode, packed_words
from setun_sim.execute import CHUNK_BYTES
from tests.compiler.small_network import network

LANES = (4, 6, 8, 16, 20, 32, 48, 64, 96)


def program(lanes: int = 4, batch: bool = False, rounds: int = 1, **options: Any) -> Program:
    """A 1 x 1 convolution of maps of three channels, 5 x 3, with values -4..4."""
    config = Config(
        name="test", rows=4, lanes=lanes, strips=2, post=2, accumulator_bits=16, axi_data_bits=32, **options
    )  # fmt: skip
    net = network(np.ones((1, 3, 1, 1), int), (3, 5, 3), low=-4, high=4, port={"scale": 0.5})
    return compile_network(net, config, batch=batch, rounds=rounds)


def samples(images: int) -> np.ndarray:
    return np.random.default_rng(images).integers(-4, 5, (images, 3, 5, 3)) / 2


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("encoding", list(Encoding))
def test_regions_are_those_of_the_host(lanes: int, encoding: Encoding) -> None:
    one = program(lanes, encoding=encoding)
    for images in (0, 1, 3):
        np.testing.assert_array_equal(encode(one, samples(images)), host.encode(one, samples(images)))


@pytest.mark.parametrize("lanes", [4, 16, 32])
@pytest.mark.parametrize("options", [{"batch": True}, {"rounds": 2}])
def test_several_images_of_a_run_lie_as_the_host_puts_them(lanes: int, options: dict[str, Any]) -> None:
    many = program(lanes, **options)
    assert many.images == 2
    np.testing.assert_array_equal(encode(many, samples(5)), host.encode(many, samples(5)))


@given(data=st.data())
def test_unfolded_patches_are_those_of_the_host(data: st.DataObject) -> None:
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    kernel, stride, dilation = (data.draw(pair, name) for name in ("kernel", "stride", "dilation"))
    padding = data.draw(st.tuples(*(st.integers(0, 2),) * 4), "padding")
    rows, cols = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)), "extent")
    channels = data.draw(st.integers(1, 3), "channels")
    lanes = data.draw(st.sampled_from([lanes for lanes in LANES if lanes % 4 == 0]), "lanes")
    extents = [
        (size + before + after - (k - 1) * d - 1) // s + 1
        for size, before, after, k, d, s in zip(
            (rows, cols), padding[:2], padding[2:], kernel, dilation, stride, strict=True
        )
    ]
    if min(extents) < 1:
        return
    unfold = Unfold(
        rows=rows, cols=cols, channels=channels, kernel=kernel, stride=stride, dilation=dilation, padding=padding,
        pad_value=data.draw(st.integers(-4, 4), "pad"),
    )  # fmt: skip
    base = program(lanes)
    taps = kernel[0] * kernel[1] * channels
    found = dataclasses.replace(base.input.map, channels=taps, rows=extents[0], cols=extents[1])
    port = dataclasses.replace(base.input, unfold=unfold, map=found)
    seed = data.draw(st.integers(0, 99), "seed")
    integers = np.random.default_rng(seed).integers(-4, 5, (2, channels, rows, cols))
    words = packed_words(dataclasses.replace(base, input=port), integers)
    codes = host.code_table(port, base.config.encoding)[:, host.unfold(integers, unfold) - host.port_range(port)[0]]
    np.testing.assert_array_equal(words.view(np.uint8), pack_codes(map_words(codes, lanes)))


def test_an_error_names_the_image_among_all() -> None:
    one = program(16)
    many = np.zeros((CHUNK_BYTES // 256, 3, 5, 3))
    many[-1, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match=rf"^input 'x': image {len(many) - 1} holds a number that is not finite$"):
        simulate(one, many)
    many[-1, 0, 0, 0] = 7
    with pytest.raises(InputError, match=rf"^input 'x': 7 of image {len(many) - 1} is outside the range -2 to 2 "):
        simulate(one, many)
