"""``setun verilog``."""

from pathlib import Path
from typing import Annotated

import typer

from setun.cli.options import ConfigName, Json, print_json, working
from setun_hw.config import Encoding


def verilog(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the files.", show_default=False)
    ],
    config: ConfigName = "small",
    encoding: Annotated[
        Encoding | None, typer.Option("--encoding", help="Digit encoding, in place of the configuration's own.")
    ] = None,
    json: Json = False,
) -> None:
    """Write the accelerator as Verilog.

    The folder also gets a file list and the configuration it came from.

    \b
    Example: setun verilog --config small -o rtl
    """
    from setun.files import make_folder
    from setun_hw import presets
    from setun_hw import verilog as generator

    chosen = presets.config(config)
    if encoding is not None:
        chosen = chosen.replace(encoding=encoding)
    folder = make_folder(output)
    with working(f"generating {chosen.name}"):
        files = generator.write(chosen, folder)
    if json:
        print_json({"config": chosen.to_dict(), "files": [str(file) for file in files]})
    else:
        typer.echo("\n".join(f"wrote {file}" for file in files))
