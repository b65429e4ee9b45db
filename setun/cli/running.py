"""``setun run`` and ``setun simulate``."""

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
    Toggles,
    print_json,
    technology_for,
    working,
)


def run(
    program: ProgramFile,
    input_file: Annotated[
        Path, typer.Option("--input", metavar="X.npy|X.npz", help="Inputs, one row each.", show_default=False)
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="Y.npz", help="Where to write `logits`.", show_default=False)
    ],
    key: Key = "x",
    json: Json = False,
) -> None:
    """Run a program on the simulator and write the logits.

    They are in the model's own output scale and order, one row per input.

    \b
    Example: setun run net.setun --input x.npy -o y.npz
    """
    import numpy as np

    from setun.arrays import load_array
    from setun.files import replacing
    from setun_compiler.container import load
    from setun_sim import simulate as run_simulation

    with replacing(output, program, input_file) as temporary, working(f"running {program}"):
        result = run_simulation(load(program), load_array(input_file, key))
        logits = result.logits
        assert logits is not None  # there were samples
        with temporary.open("wb") as file:
            np.savez(file, logits=logits)
    if json:
        counts = {"runs": result.runs, "cycles": result.cycles, "init_cycles": result.init_cycles}
        print_json({"output": str(output), "images": len(logits), **counts})
    else:
        typer.echo(f"{len(logits)} inputs, {result.runs} runs of {result.cycles} cycles; wrote {output}")


def simulate(
    program: ProgramFile,
    input_file: InputFile = None,
    trace: Annotated[
        Path | None,
        typer.Option("--trace", metavar="T.json", help="Write a timeline for ui.perfetto.dev.", show_default=False),
    ] = None,
    technology: TechnologyName = "22fdx",
    liberty: LibertyFile = None,
    memory: MemoryName = "lpddr4",
    clock: Clock = None,
    latency: Latency = 8,
    interval: Interval = 1,
    toggles: Toggles = False,
    key: Key = "x",
    json: Json = False,
) -> None:
    """Show cycles, utilisation, stalls, traffic and energy by layer.

    Activity and energy are those of the inputs; without --input, of one random input. Cycles do not depend on data.

    \b
    Example: setun simulate net.setun --input x.npy --technology fdsoi28
    """
    from setun.arrays import load_array
    from setun.costs import energy_text, toggles_text
    from setun.files import replacing
    from setun_compiler.container import load
    from setun_sim import trace as tracing
    from setun_sim.cost import technology as find
    from setun_sim.report.energies import energy_section
    from setun_sim.report.priced import counted, priced, toggles_section

    compiled = load(program)
    samples = load_array(input_file, key) if input_file is not None else None
    with working(f"simulating {program}"):
        result, expected = priced(
            compiled, samples, technology_for(technology, liberty), memory=find(memory), clock_mhz=clock,
            latency=latency, interval=interval,
        )  # fmt: skip
        energy = counted(result, expected, samples) if toggles else expected
    if trace is not None:
        with replacing(trace, program, input_file) as temporary:
            tracing.write(result, temporary)
    if json:
        extra = {"toggles": toggles_section(expected, energy)} if toggles else {}
        print_json({
            **result.to_json(), "random_inputs": samples is None, "energy": energy_section(energy), **extra,
        })  # fmt: skip
        return
    whose = " (random: none were given)" if samples is None else ""
    typer.echo(f"{result.to_text()}\n\nenergy of an input{whose}\n{energy_text(energy)}")
    if toggles:
        typer.echo(f"\n{toggles_text(expected, energy)}")
