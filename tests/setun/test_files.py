"""Files that appear whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from setun.files import OutputError, make_folder, replacing


def test_the_file_appears_when_the_block_ends_well(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_the_old_file_stays_and_nothing_is_left_when_the_block_fails(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")

    def fail() -> None:
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="^stop$"):
        fail()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_missing_folder_is_named_before_the_work_starts(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"^.*a\.txt: cannot be written, folder .*none does not exist$"):
        replacing(tmp_path / "none" / "a.txt").__enter__()


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(OutputError, match=r"^.*a: cannot be written, it is a folder$"):
        replacing(tmp_path / "a").__enter__()


def test_a_name_as_long_as_the_file_system_takes_can_be_written(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 251 + ".npz")
    with replacing(target) as temporary:
        temporary.write_text("x")
    assert target.read_text() == "x"


def test_folders_are_made_with_their_parents_and_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a" / "b").is_dir()
    assert make_folder(tmp_path / "a" / "b").is_dir()
    (tmp_path / "f").write_text("")
    with pytest.raises(OutputError, match=r"^.*f: cannot be created \(File exists\)$"):
        make_folder(tmp_path / "f")


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "far" / "real.txt")
    with replacing(tmp_path / "link.txt") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "far" / "real.txt").read_text() == "new"
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["link.txt", "real.txt"]


def test_a_device_or_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match=r"^.*pipe: cannot be written, it is no regular file$"):
        replacing(tmp_path / "pipe").__enter__()
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_file_that_is_read_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "in.onnx").write_text("model")
    (tmp_path / "link").symlink_to("in.onnx")
    os.link(tmp_path / "in.onnx", tmp_path / "hard")
    for name in ("in.onnx", "link", "hard"):
        with pytest.raises(OutputError, match=rf"^.*{name}: cannot be written, it is read as input$"):
            replacing(tmp_path / name, None, tmp_path / "in.onnx", tmp_path / "none").__enter__()


def test_a_folder_that_takes_no_files_is_named_before_the_work_starts() -> None:
    with pytest.raises(OutputError, match=r"^/proc/a\.txt: cannot be written \(.*\)$"):
        replacing("/proc/a.txt").__enter__()
