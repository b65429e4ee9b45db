"""Look-up tables of the datapath's parts, by encoding and FPGA family.

    python benchmarks/luts.py [--lanes 96] [--bits 20]

Synthesises each part alone with yosys (package ``pyosys``), shaped for the family. A carry cell of ECP5 (CCU2C) counts
as the two look-up tables that it occupies. To compare with: a plain popcount of 96 ternary lanes takes 5.12 a lane on
iCE40, 6.18 on ECP5 and 4.51 on Xilinx 7; CUTIE's decoder of five packed trits 42 tables of four inputs or 23 of six.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from amaranth import Elaboratable

from setun_hw.arithmetic import Accumulator, Comparator, DotProduct, Unpacker
from setun_hw.config import Config, Encoding
from setun_hw.library import convert

FAMILIES = {
    "ice40": "synth_ice40 -top part",
    "ecp5": "synth_ecp5 -nowidelut -top part",
    "xilinx": "synth_xilinx -family xc7 -noiopad -flatten -top part",
}


#: in a process of its own, whose log nobody needs
_YOSYS = "import sys; from pyosys import libyosys; libyosys.run_pass('script ' + sys.argv[1], libyosys.Design())"


def synthesise(part: Elaboratable, family: str) -> Counter[str]:
    """Cells of a part by type."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "part.il").write_text(convert(part, "part", family=family), encoding="utf-8")
        commands = ["read_rtlil part.il", FAMILIES[family], "tee -q -o statistics.json stat -json"]
        Path(directory, "part.ys").write_text("\n".join(commands) + "\n", encoding="utf-8")
        subprocess.run([sys.executable, "-c", _YOSYS, "part.ys"], cwd=directory, check=True, capture_output=True)
        statistics = json.loads(Path(directory, "statistics.json").read_text(encoding="utf-8"))
    return Counter(statistics["design"]["num_cells_by_type"])


def luts(cells: Counter[str]) -> int:
    """Look-up tables, those inside carry cells included."""
    return sum(number for kind, number in cells.items() if "LUT" in kind) + 2 * cells["CCU2C"]


def main() -> None:
    """Print one line for each part and encoding."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--lanes", type=int, default=96, help="lanes of the dot product")
    parser.add_argument("--bits", type=int, default=20, help="accumulator_bits")
    options = parser.parse_args()
    print(f"{'part':44}" + "".join(f"{family:>16}" for family in FAMILIES))

    def line(name: str, make: "type[Elaboratable]", *arguments: Config, lanes: int = 0) -> None:
        cells = ""
        for family in FAMILIES:
            count = luts(synthesise(make(*arguments), family))
            cells += f"{count:>16}" if not lanes else f"{f'{count} ({count / lanes:.2f})':>16}"
        print(f"{name:44}{cells}", flush=True)

    for encoding in Encoding:
        config = Config(
            name="luts", encoding=encoding, rows=1, post=1, lanes=options.lanes, tree_registers=0,
            accumulator_bits=options.bits,
        )  # fmt: skip
        line(f"dot product of {options.lanes}, {encoding} (per lane)", DotProduct, config, lanes=options.lanes)
        line(f"accumulator, {encoding}", Accumulator, config)
        line(f"comparison, {encoding}", Comparator, config)
    line("decoder of five packed trits", Unpacker)


if __name__ == "__main__":
    main()
