"""Array files of unknown origin."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from setun import arrays
from setun.arrays import ArrayError, load_array


def npy_bytes(header: str, data: bytes) -> bytes:
    """An npy file with any header, whatever numpy would think of it."""
    text = header.encode().ljust(118 - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int64", "bool", ">f4", ">i2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_npy_file_comes_back_as_it_was(tmp_path: Path, dtype: str, order: str) -> None:
    wanted = np.array([[0, 1, 2], [3, 4, 5]]).astype(dtype, order=order)
    np.save(tmp_path / "x.npy", wanted)
    found = load_array(tmp_path / "x.npy")
    np.testing.assert_array_equal(found, wanted)
    assert found.dtype == wanted.dtype.newbyteorder("=")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_file_gives_the_array_of_the_key(tmp_path: Path, save: object) -> None:
    save(tmp_path / "x.npz", x=np.arange(6.0), label=np.arange(3))  # type: ignore[operator]
    np.testing.assert_array_equal(load_array(tmp_path / "x.npz"), np.arange(6.0))
    np.testing.assert_array_equal(load_array(tmp_path / "x.npz", "label"), np.arange(3))


def test_content_not_name_tells_the_kind(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.arange(3))
    (tmp_path / "x.npz").rename(tmp_path / "x.npy")
    np.testing.assert_array_equal(load_array(tmp_path / "x.npy"), np.arange(3))


def test_an_empty_array_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((0, 4)))
    with pytest.raises(ArrayError, match=r"^.*x\.npy: is empty, its shape is \(0, 4\)$"):
        load_array(tmp_path / "x.npy")


def test_a_single_number_is_no_array(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.float32(1))
    with pytest.raises(ArrayError, match=r"^.*x\.npy: holds a single number, not one row for each input$"):
        load_array(tmp_path / "x.npy")


def test_a_missing_key_is_named_beside_those_that_are_there(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", image=np.arange(3), label=np.arange(3))
    with pytest.raises(ArrayError, match=r"^.*x\.npz: has no array 'x', but image, label$"):
        load_array(tmp_path / "x.npz")


def test_an_archive_of_nothing_is_an_npz_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz")
    with pytest.raises(ArrayError, match=r"^.*x\.npz: has no array 'x', but nothing$"):
        load_array(tmp_path / "x.npz")


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(ArrayError, match=r"^a\x00b: cannot be read \(embedded null byte\)$"):
        load_array("a\0b")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArrayError, match=r"^.*none\.npy: cannot be read \(No such file or directory\)$"):
        load_array(tmp_path / "none.npy")
    with pytest.raises(ArrayError, match=r"^.*: cannot be read \(Is a directory\)$"):
        load_array(tmp_path)


@pytest.mark.parametrize("keep", [0, 1, 5, 40, 130, -1])
def test_a_truncated_npy_file_is_refused(tmp_path: Path, keep: int) -> None:
    np.save(tmp_path / "x.npy", np.arange(10))
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:keep])
    with pytest.raises(ArrayError, match=r"^.*x\.npy: "):
        load_array(tmp_path / "x.npy")


@pytest.mark.parametrize("keep", [5, 60, 200, -1])
def test_a_truncated_npz_file_is_refused(tmp_path: Path, keep: int) -> None:
    np.savez_compressed(tmp_path / "x.npz", x=np.arange(1000))
    (tmp_path / "x.npz").write_bytes((tmp_path / "x.npz").read_bytes()[:keep])
    with pytest.raises(ArrayError, match=r"^.*x\.npz: not a readable npz file \(.*\)$"):
        load_array(tmp_path / "x.npz")


def test_every_single_altered_byte_is_refused_or_read_never_raised(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", x=np.arange(20))
    whole = (tmp_path / "x.npz").read_bytes()
    for position in range(len(whole)):
        altered = bytearray(whole)
        altered[position] ^= 0xFF
        (tmp_path / "y.npz").write_bytes(altered)
        try:
            load_array(tmp_path / "y.npz")
        except ArrayError as error:
            assert str(error).startswith(str(tmp_path))  # noqa: PT017 - reading well is allowed too


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(ArrayError, match=r"^.*elements must be numbers, not object$"):
        load_array(tmp_path / "x.npy")


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([1j]), np.array(["2020-01-01"], dtype="M8[D]")])
def test_other_elements_than_real_numbers_are_refused(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(ArrayError, match=r"^.*elements must be numbers, not .*$"):
        load_array(tmp_path / "x.npy")


def test_a_header_that_promises_too_much_allocates_nothing(tmp_path: Path) -> None:
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776, 1024), }"
    (tmp_path / "x.npy").write_bytes(npy_bytes(header, b"12345678"))
    with pytest.raises(ArrayError, match=r"^.*an array of 9007199254740992 bytes is larger than the 1073741824 .*$"):
        load_array(tmp_path / "x.npy")


def test_a_header_that_promises_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (100000000,), }"
    (tmp_path / "x.npy").write_bytes(npy_bytes(header, b"12345678"))
    with pytest.raises(ArrayError, match=r"^.*the header promises 800000000 bytes of data, but the file holds 8$"):
        load_array(tmp_path / "x.npy")


def test_a_negative_shape_is_refused(tmp_path: Path) -> None:
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }"
    (tmp_path / "x.npy").write_bytes(npy_bytes(header, b""))
    with pytest.raises(ArrayError, match=r"^.*x\.npy: "):
        load_array(tmp_path / "x.npy")


def test_a_small_zip_of_a_large_array_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "LARGEST_ARRAY", 1 << 20)
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros((1 << 20) + 1, dtype=np.uint8))
    assert (tmp_path / "x.npz").stat().st_size < 10_000
    with pytest.raises(ArrayError, match=r"^.*an array of 1048577 bytes is larger than the 1048576 that are accepted$"):
        load_array(tmp_path / "x.npz")


def test_a_member_that_is_no_array_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", b"hello")
    with pytest.raises(ArrayError, match=r"^.*x\.npz: neither an npy nor an npz file \(.*\)$"):
        load_array(tmp_path / "x.npz")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, x=np.arange(3))
    data = bytearray(buffer.getvalue())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "x.npz").write_bytes(data)
    with pytest.raises(ArrayError, match=r"^.*not a readable npz file \(.*\)$"):
        load_array(tmp_path / "x.npz")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    np.save(tmp_path / "x.npy", np.array([1.0, value]))
    with pytest.raises(ArrayError, match=r"^.*x\.npy: holds NaN or infinite values$"):
        load_array(tmp_path / "x.npy")
