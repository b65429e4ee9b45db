"""``setun verify``."""

from pathlib import Path
from typing import Annotated

import typer

from setun.cli.options import Json, Key, ProgramFile, print_json, working


def verify(
    program: ProgramFile,
    input_file: Annotated[
        Path | None,
        typer.Option("--input", metavar="X.npy|X.npz", help="Inputs, one row each.", show_default=False),
    ] = None,
    images: Annotated[int, typer.Option("--images", min=1, help="How many inputs to run.")] = 1,
    key: Key = "x",
    json: Json = False,
) -> None:
    """Compare the Verilog under Verilator with golden and simulator.

    Outputs must equal golden, performance counters the simulator. Exit status 1 when anything differs. Without
    --input, random inputs are drawn.

    \b
    Example: setun verify net.setun --input x.npy --images 4
    """
    from setun.arrays import load_array
    from setun_compiler.container import load
    from setun_sim.verify.verify import verify as run_verification

    compiled = load(program)
    samples = load_array(input_file, key) if input_file is not None else None
    with working("building and running the Verilog (the first build of a configuration takes a minute or two)"):
        report = run_verification(compiled, samples, images=images)
    if json:
        print_json(report.to_json())
    else:
        typer.echo(report.to_text())
    if not report.passed:
        raise typer.Exit(1)
