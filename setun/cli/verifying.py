"""``setun verify``."""

from pathlib import Path
from typing import Annotated

import typer

from setun.cli.options import Interval, Json, Key, Latency, ProgramFile, counting, print_json


def verify(
    program: ProgramFile,
    input_file: Annotated[
        Path | None,
        typer.Option("--input", metavar="X.npy|X.npz", help="Inputs, one row each.", show_default=False),
    ] = None,
    images: Annotated[
        int | None, typer.Option("--images", metavar="K", min=1, help="Only so many inputs.", show_default=False)
    ] = None,
    latency: Latency = 8,
    interval: Interval = 1,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", min=0, help="Random back-pressure instead.", show_default=False),
    ] = None,
    key: Key = "x",
    json: Json = False,
) -> None:
    """Compare the Verilog under Verilator with golden and simulator.

    Outputs must equal golden, performance counters the simulator. Exit status 1 when anything differs. Without
    --input, one random input is drawn.

    \b
    Example: setun verify net.setun --input x.npy --images 4
    """
    from setun.arrays import load_array
    from setun_compiler.container import load
    from setun_sim.verify.verify import verify as run_verification

    compiled = load(program)
    samples = load_array(input_file, key) if input_file is not None else None
    with counting() as progress:
        report = run_verification(
            compiled, samples, images=images, latency=latency, interval=interval, seed=seed, progress=progress
        )
    if json:
        print_json(report.to_json())
    else:
        typer.echo(report.to_text())
    if not report.passed:
        raise typer.Exit(1)
