"""Floats to input bytes and output bytes to floats, by hand and against the definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from setun_compiler import compile_network, host
from setun_compiler.host import InputError
from setun_compiler.layout import from_beats, pack_map, to_beats, unpack_map
from setun_compiler.program import Program, Unfold
from setun_hw.config import Config, Encoding
from tests.compiler.small_network import network

CONFIG = Config(name="test", rows=4, lanes=4, strips=2, post=2, accumulator_bits=16, axi_data_bits=32)


def program(config: Config = CONFIG, batch: bool = False, rounds: int = 1, **port: object) -> Program:
    """A 1 x 1 convolution of 3 x 2 maps of two channels with values -4..4 (two trits)."""
    fields = {"scale": 0.5, **port}
    net = network(np.ones((1, 2, 1, 1), int), (2, 3, 2), low=-4, high=4, port=fields)
    return compile_network(net, config, batch=batch, rounds=rounds)


def test_bytes_of_a_small_map_by_hand() -> None:
    """Row 0: pixel (1, -4), pixel (3, 0); words of four lanes are a byte, plane 0 first; a row is a 4-byte beat."""
    samples = np.zeros((1, 2, 3, 2))
    samples[0, :, 0, 0] = 0.5, -2.0  # 1 = (0, 1), -4 = (-1, -1)
    samples[0, :, 0, 1] = 1.5, 0.0  # 3 = (1, 0)
    region = host.encode(program(CONFIG.replace(strips=1)), samples)
    assert region.shape == (1, 12)
    assert region[0, :4].tolist() == [0b1000, 0b1001, 0b0001, 0]
    assert not region[0, 4:].any()


def test_lines_of_a_small_map_by_hand() -> None:
    """Strips of two rows: row 0 of the map and row 2 share lines, then row 1 and the row beyond, which is empty."""
    samples = np.zeros((1, 2, 3, 2))
    samples[0, :, 0, 0] = 0.5, -2.0  # as above
    samples[0, :, 2, 0] = 1.5, 0.0
    compiled = program()
    assert compiled.input.map.line_rows == 2
    region = host.encode(compiled, samples)
    assert region.shape == (1, 16)
    assert region[0, :4].tolist() == [0b1000, 0b0001, 0b1001, 0]  # plane 0 of both rows, then plane 1
    assert not region[0, 4:].any()


def test_rounds_follow_each_other() -> None:
    images = np.arange(3 * 12).reshape(3, 2, 3, 2) % 9 / 2 - 2
    one, two = program(), program(rounds=2)
    assert (two.images, two.rounds) == (2, 2)
    found = host.encode(two, images)
    assert found.shape == (2, 32)
    np.testing.assert_array_equal(found.reshape(4, 16)[:3], host.encode(one, images))
    assert not found[1, 16:].any()


def test_halves_round_to_even_and_zero_moves() -> None:
    samples = np.array([0.25, 0.75, -0.25, 1.25, 1.2, 2.0]).reshape(1, 1, 3, 2).repeat(2, axis=1)
    integers = host.quantise(program(zero=-1).input, samples)
    assert integers[0, 0].ravel().tolist() == [-1, 1, -1, 1, 1, 3]


def test_axes_reorder_a_sample() -> None:
    port = program(shape=(3, 2, 2), axes=(2, 0, 1)).input
    samples = np.arange(12).reshape(1, 3, 2, 2) % 5 / 2
    np.testing.assert_array_equal(host.quantise(port, samples)[0], (samples[0] * 2).transpose(2, 0, 1))


def test_offset_table_and_saturation() -> None:
    port = program(offset=1.0, table=(-4, 4, 0), saturate=True).input
    samples = np.array([0.0, 1.0, 1.5, 2.0, 2.5, 99.0]).reshape(1, 1, 3, 2).repeat(2, axis=1)
    assert host.quantise(port, samples)[0, 0].ravel().tolist() == [-4, -4, 4, 0, 0, 0]


def test_table_holds_stored_integers() -> None:
    """Values 0..40 in radix 4 are stored minus a shift; the table moves, its index does not."""
    net = network(np.ones((1, 1, 1, 1), int), (1, 1, 1), low=0, high=25, port={"table": (0, 25, 3)})
    compiled = compile_network(net, CONFIG.replace(encoding=Encoding.BINARY2))
    shift = -compiled.input.table[0]
    assert shift > 0
    assert compiled.input.table == (-shift, 25 - shift, 3 - shift)
    assert (compiled.input.low, compiled.input.high, compiled.input.zero) == (0, 2, 0)


@pytest.mark.parametrize(
    ("samples", "text"),
    [
        (np.zeros((2, 3, 2)), r"^input 'x' must have shape \(images, 2, 3, 2\), not \(2, 3, 2\)$"),
        (np.zeros((1, 2, 2, 3)), r"^input 'x' must have shape \(images, 2, 3, 2\), not \(1, 2, 2, 3\)$"),
        (np.full((1, 2, 3, 2), "a"), r"^input 'x' must hold real numbers, not <U1$"),
        (np.full((1, 2, 3, 2), 1j), r"^input 'x' must hold real numbers, not complex128$"),
        (np.full((1, 2, 3, 2), np.nan), r"^input 'x': image 0 holds a number that is not finite$"),
        (np.full((1, 2, 3, 2), np.inf), r"^input 'x': image 0 holds a number that is not finite$"),
        (
            np.stack([np.zeros((2, 3, 2)), np.full((2, 3, 2), 2.5)]),
            r"^input 'x': 2\.5 of image 1 is outside the range -2 to 2 that the program was compiled for$",
        ),
    ],
)
def test_bad_samples_are_refused(samples: np.ndarray, text: str) -> None:
    with pytest.raises(InputError, match=text):
        host.encode(program(), samples)


def test_no_image_takes_no_run() -> None:
    assert host.encode(program(), np.zeros((0, 2, 3, 2))).shape == (0, 16)


def test_batch_fills_the_last_run_with_zeros() -> None:
    compiled = program(batch=True)
    regions = host.encode(compiled, np.full((3, 2, 3, 2), 0.5))
    assert regions.shape == (2, 24)
    lines = regions.reshape(2, 12, 2)  # a word of each image in turn
    np.testing.assert_array_equal(lines[1, :, 0], lines[0, :, 0])
    np.testing.assert_array_equal(lines[0, :, 1], lines[0, :, 0])
    assert lines[1, :, 0].any()
    assert not lines[1, :, 1].any()


def test_unfolded_patches_by_hand() -> None:
    """2 x 2 kernel, one column of padding on the left: channels are kernel row, kernel column, channel."""
    maps = np.arange(1, 9).reshape(1, 2, 2, 2)  # channel 0: 1 2 / 3 4, channel 1: 5 6 / 7 8
    found = host.unfold(
        maps,
        Unfold(
            rows=2,
            cols=2,
            channels=2,
            kernel=(2, 2),
            stride=(1, 1),
            dilation=(1, 1),
            padding=(0, 1, 0, 0),
            pad_value=-9,
        ),
    )
    assert found.shape == (1, 8, 1, 2)
    assert found[0, :, 0, 0].tolist() == [-9, -9, 1, 5, -9, -9, 3, 7]
    assert found[0, :, 0, 1].tolist() == [1, 5, 2, 6, 3, 7, 4, 8]


@given(st.data())
def test_unfold_equals_its_definition(data: st.DataObject) -> None:
    draw = data.draw
    small = st.integers(1, 3)
    kernel, stride, dilation = (
        draw(st.tuples(small, small)),
        draw(st.tuples(small, small)),
        draw(st.tuples(small, small)),
    )
    padding = draw(st.tuples(*[st.integers(0, 2)] * 4))
    channels, rows, cols = draw(small), draw(st.integers(7, 9)), draw(st.integers(7, 9))
    maps = np.random.default_rng(draw(st.integers(0, 99))).integers(-9, 9, (2, channels, rows, cols))
    found = host.unfold(
        maps,
        Unfold(
            rows=rows,
            cols=cols,
            channels=channels,
            kernel=kernel,
            stride=stride,
            dilation=dilation,
            padding=padding,
            pad_value=7,
        ),
    )
    for oy in range(found.shape[2]):
        for ox in range(found.shape[3]):
            wanted = []
            for kh in range(kernel[0]):
                for kw in range(kernel[1]):
                    y, x = (
                        oy * stride[0] + kh * dilation[0] - padding[0],
                        ox * stride[1] + kw * dilation[1] - padding[1],
                    )
                    inside = 0 <= y < rows and 0 <= x < cols
                    wanted += [int(maps[1, c, y, x]) if inside else 7 for c in range(channels)]
            assert found[1, :, oy, ox].tolist() == wanted


@given(st.integers(1, 40), st.integers(1, 50), st.sampled_from([16, 32, 64]))
def test_words_return_from_beats(words: int, units: int, beat: int) -> None:
    data = np.random.default_rng(words).integers(0, 4, (3, words, units)).astype(np.uint8)
    beats = to_beats(data, beat)
    assert beats.shape[2] == beat
    per = -(-units // beat)
    assert beats.shape[1] == (words * per if units >= beat else -(-words // (beat // units)))
    np.testing.assert_array_equal(from_beats(beats, words, units), data)


@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.sampled_from([1, 3, 4, 8]))
def test_maps_return_from_external_memory(channels: int, rows: int, cols: int, digits: int, lanes: int) -> None:
    codes = np.random.default_rng(channels).integers(0, 4, (digits, 2, channels, rows, cols)).astype(np.uint8)
    data = pack_map(codes, lanes, 32)
    np.testing.assert_array_equal(unpack_map(data, (channels, rows, cols), digits, lanes, 32), codes)


def test_outputs_are_scaled_by_channel() -> None:
    compiled = program()
    port = compiled.output
    integers = np.arange(6).reshape(1, 1, 3, 2)
    np.testing.assert_array_equal(host.to_floats(port, integers), integers * port.scale[0] + port.bias[0])
