"""``setun report``."""

from pathlib import Path
from typing import Annotated

import typer

from setun.cli.options import (
    Clock,
    InputFile,
    Interval,
    Json,
    Key,
    Latency,
    LibertyFile,
    MemoryName,
    ProgramFile,
    TechnologyName,
    print_json,
    technology_for,
    working,
)


def report(
    program: ProgramFile,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.html", help="Where to write the page.", show_default=False)
    ],
    input_file: InputFile = None,
    technology: TechnologyName = "22fdx",
    liberty: LibertyFile = None,
    memory: MemoryName = "lpddr4",
    clock: Clock = None,
    latency: Latency = 8,
    interval: Interval = 1,
    key: Key = "x",
    json: Json = False,
) -> None:
    """Write everything known about a program's run as one page.

    Time, utilisation, roofline, energy, memories, sparsity and histograms, with sources. Without --input, one random
    input is drawn, and the page says so.

    \b
    Example: setun report net.setun --input x.npy -o report.html
    """
    from setun.arrays import load_array
    from setun.files import replacing
    from setun_compiler.container import load
    from setun_sim.cost import technology as find
    from setun_sim.report import report as gather
    from setun_sim.report.page import page

    compiled = load(program)
    samples = load_array(input_file, key) if input_file is not None else None
    with replacing(output, program, input_file) as temporary, working(f"simulating {program}"):
        found = gather(
            compiled,
            samples,
            technology_for(technology, liberty),
            memory=find(memory),
            clock_mhz=clock,
            latency=latency,
            interval=interval,
        )
        temporary.write_text(page(found.document), encoding="utf-8")
    if json:
        print_json({"report": str(output), **found.document})
    else:
        typer.echo(f"wrote {output}")
