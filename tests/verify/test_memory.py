"""The external memory answers in exactly the cycles docs/machine.md gives, and tells what was wrongly asked."""

from pathlib import Path

import pytest

from setun_sim.verify.build import build
from setun_sim.verify.errors import SessionError
from setun_sim.verify.memory import Area, Timing
from setun_sim.verify.session import run_session

HERE = Path(__file__).parent


@pytest.mark.rtl
def test_every_handshake_of_the_memory_happens_in_its_cycle(tmp_path: Path) -> None:
    wires = build((HERE / "axi_wires.v").read_text(), "axi_wires")
    run_session(wires, "memory_bench", tmp_path, extra_paths=(HERE,))
    assert (tmp_path / "results.xml").read_text().count("<testcase") == 17


@pytest.mark.rtl
def test_a_failing_bench_is_one_sentence(tmp_path: Path) -> None:
    wires = build((HERE / "axi_wires.v").read_text(), "axi_wires")
    with pytest.raises(SessionError, match=r"^bench refuses: the accelerator never answered$"):
        run_session(wires, "failing_bench", tmp_path, extra_paths=(HERE,))


def test_disorder_depends_on_seed_and_channel_only() -> None:
    def gaps(seed: int, channel: str) -> list[int]:
        pace = Timing(seed=seed).paces()[channel]
        return [pace() for _ in range(50)]

    assert gaps(1, "r") == gaps(1, "r")
    assert gaps(1, "r") != gaps(2, "r")
    assert gaps(1, "r") != gaps(1, "w")
    assert min(gaps(1, "r")) == 1
    assert max(gaps(1, "r")) > 3


def test_steady_timing_paces_only_data() -> None:
    paces = Timing(latency=4, interval=3).paces()
    assert {channel: pace() for channel, pace in paces.items()} == {"ar": 1, "r": 3, "aw": 1, "w": 3, "b": 1}


def test_an_area_holds_whole_accesses_only() -> None:
    area = Area(name="x", base=64, data=bytearray(16))
    assert area.holds(64, 16)
    assert not area.holds(64, 17)
    assert not area.holds(63, 4)
    assert not area.holds(80, 1)
