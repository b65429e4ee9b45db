"""``setun plot``."""

from enum import StrEnum, auto
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


class Kind(StrEnum):
    """What can be drawn: the names of :data:`setun_sim.report.plots.KINDS`, which would load matplotlib."""

    LATENCY = auto()
    UTILISATION = auto()
    ROOFLINE = auto()
    ENERGY = auto()
    MEMORY = auto()
    HISTOGRAM = auto()
    COMPARE = auto()
    TORNADO = auto()


class Form(StrEnum):
    """Forms of files."""

    SVG = auto()
    PNG = auto()


def plot(
    program: ProgramFile,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR|FILE.svg|FILE.png", help="A file, or a folder for all.", show_default=False
        ),
    ],
    kind: Annotated[
        Kind | None, typer.Option("--kind", help="What to draw.", show_default="all, into a folder")
    ] = None,
    form: Annotated[Form, typer.Option("--form", help="Of the files in a folder.")] = Form.SVG,
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
    """Draw the report's charts as SVG or PNG files.

    Into a folder all of them or one --kind; into a file one --kind. Without --input, one random input is drawn.

    \b
    Example: setun plot net.setun --kind energy -o energy.svg
    """
    from setun.arrays import load_array
    from setun.plotting import write_plots
    from setun_compiler.container import load
    from setun_sim.cost import technology as find
    from setun_sim.report import report as gather

    compiled = load(program)
    samples = load_array(input_file, key) if input_file is not None else None
    with working(f"drawing {program}"):
        found = gather(
            compiled,
            samples,
            technology_for(technology, liberty),
            memory=find(memory),
            clock_mhz=clock,
            latency=latency,
            interval=interval,
        )
        files = write_plots(found.document, output, None if kind is None else kind.value, form.value)
    if json:
        print_json({"random_inputs": samples is None, "plots": [str(file) for file in files]})
    else:
        typer.echo("\n".join(f"wrote {file}" for file in files))
