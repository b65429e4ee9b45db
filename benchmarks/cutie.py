"""Utilisation on CUTIE's CIFAR-10 network with as many multipliers as CUTIE, beside what its public RTL reaches.

    python benchmarks/cutie.py

CUTIE's cycles were measured with its public RTL under Verilator: 1051, 1041, 1049, 275, 281, 93, 95, 43 for the
eight convolutions. Ours
are the simulator's, which the Verilog equals. A run in batch mode takes P = 9 images; cycles below are per image.
``layers`` leaves out the
cycles in which the array waits for the input map; ``run`` is everything from start bit to interrupt.
"""

import tempfile
from pathlib import Path

import onnx

import setun
from setun_compiler import zoo

CUTIE = (1051, 1041, 1049, 275, 281, 93, 95, 43)


def measure(model: Path, config: setun.Config, batch: bool) -> None:
    """Compile, simulate and print one row for each layer and the sums."""
    result = setun.simulate(setun.compile_model(model, config, batch=batch), None)
    images, multipliers = result.program.images, config.multipliers
    print(f"\n{config.rows} x {config.lanes} x {config.strips} = {multipliers} multipliers, {images} images a run")
    print(f"{'layer':12} {'MACs':>10} {'cycles':>8} {'util.':>6}  CUTIE")
    total = 0.0
    for layer, theirs in zip(result.layers, (*CUTIE, None), strict=True):
        cycles = (layer.cycles - layer.stalls.idle) / images
        total += cycles
        print(f"{layer.name:12} {layer.macs:10} {cycles:8.1f} {layer.macs / cycles / multipliers:6.1%}  {theirs or ''}")
    run = result.cycles / images
    print(f"{'layers':12} {result.macs:10} {total:8.1f} {result.macs / total / multipliers:6.1%}  {sum(CUTIE)} (94.9%)")
    print(f"{'run':12} {result.macs:10} {run:8.1f} {result.macs / run / multipliers:6.1%}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cutie.onnx"
        onnx.save(zoo.build("cutie"), path)
        cutie = setun.config("cutie")
        measure(path, cutie, batch=True)
        measure(path, cutie.replace(strips=8), batch=False)
