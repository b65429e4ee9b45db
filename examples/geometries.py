"""How many cycles one network takes on arrays of different shape: python examples/geometries.py MODEL.onnx [X.npz]."""

import sys

import setun
from setun.tables import table


def main(model: str, inputs: str | None = None) -> None:
    """Print cycles and utilisation of ``model`` on eight geometries; ``inputs`` show the input's range."""
    calibration = setun.load_array(inputs) if inputs else None
    base = setun.config("small")
    rows = []
    for size in (8, 16, 32):
        for strips in (1, 2, 4):
            config = base.replace(name=f"{size}x{size}x{strips}", rows=size, lanes=size, strips=strips, post=4)
            result = setun.simulate(setun.compile_model(model, config, calibration=calibration), None)
            rows.append((config.name, config.multipliers, result.cycles, 100 * result.utilisation))
    print(table(("rows x lanes x strips", "multipliers", "cycles", "utilisation %"), rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
