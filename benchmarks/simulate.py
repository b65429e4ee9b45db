"""Simulator beside onnxruntime: the same network, inputs and processors, float there, cycles and activity counted here.

    python benchmarks/simulate.py [--config wide] [--repeats 9] [--threads 2]
    python benchmarks/simulate.py --network resnet20 --config small --images 64

The first compares a trained network of the tests on its 256 images, the second one of `setun models` on random ones.
A configuration without fixed point gets it where the network needs it, as ``--residual-words`` says.
Runs alternate, so that whatever else the machine does falls on both; medians are printed. onnxruntime is called with
its default optimisations. `simulator` is everything from float samples to float logits, cycles and activity; `kernels`
is the part of it between input and output bytes.
"""

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from setun_compiler import compile_model, host, zoo
from setun_hw import presets
from setun_sim import simulate
from setun_sim.execute import execute

MODELS = Path(__file__).parents[1] / "tests" / "models"
#: largest magnitude of a random input
LARGEST = 5.0


def seconds(function: Callable[[], object]) -> float:
    """One timed call."""
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def trained(path: Path) -> tuple[bytes, NDArray[np.float32]]:
    """A model of the tests, and its images."""
    with np.load(path.parent / "test256.npz", allow_pickle=False) as archive:
        return path.read_bytes(), archive["x"]


def random(name: str, images: int) -> tuple[bytes, NDArray[np.float32]]:
    """A network of the zoo, and normally distributed images."""
    model = zoo.build(name)
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    samples = np.random.default_rng(0).normal(size=(images, *shape)).clip(-LARGEST, LARGEST)
    return model.SerializeToString(), samples.astype(np.float32)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Simulator beside onnxruntime on the same network.")
    parser.add_argument("--model", default="tnn_vgg_mnist/frozen_legacy.onnx", help="file below tests/models")
    parser.add_argument("--network", help="a network of `setun models` instead")
    parser.add_argument("--images", type=int, default=64, help="random images for it")
    parser.add_argument("--config", default="wide", help="named configuration or TOML file")
    parser.add_argument("--residual-words", type=int, default=8192)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2, help="of onnxruntime; the simulator takes all it may use")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    model, samples = random(options.network, options.images) if options.network else trained(MODELS / options.model)
    config, limits = presets.config(options.config), None
    if options.network:
        limits = (-LARGEST, LARGEST)
        config = config if config.affine else config.replace(affine=True, residual_words=options.residual_words)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(model)
        compiling = time.perf_counter()
        program = compile_model(path, config, calibration=samples[:64], input_range=limits)
        compiling = time.perf_counter() - compiling
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: samples}
    logits = session.run(None, feed)[0]
    inputs = host.encode(program, samples)

    first = seconds(lambda: simulate(program, samples))
    result = simulate(program, samples)
    assert result.logits is not None
    agreement = float((result.logits.argmax(1) == logits.argmax(1)).mean())
    assert options.network or agreement == 1, "the simulator's answers are wrong"
    rounds = [
        {
            "onnxruntime": seconds(lambda: session.run(None, feed)),
            "simulator": seconds(lambda: simulate(program, samples)),
            "kernels": seconds(lambda: execute(program, inputs)),
        }
        for _ in range(options.repeats)
    ]
    medians = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    ratio = statistics.median(one["onnxruntime"] / one["simulator"] for one in rounds)
    document = {
        "model": options.network or options.model,
        "configuration": options.config,
        "images": len(samples),
        "same_argmax": agreement,
        "compile_s": compiling,
        "first_call_s": first,
        **{f"{name}_s": value for name, value in medians.items()},
        "onnxruntime_by_simulator": ratio,
        "onnxruntime_by_kernels": statistics.median(one["onnxruntime"] / one["kernels"] for one in rounds),
        "macs_per_second": result.macs * len(samples) / medians["simulator"],
        "peak_gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "cycles_per_second": result.cycles * result.runs / medians["simulator"],
    }
    if options.json:
        print(json.dumps(document))
        return
    for name, value in document.items():
        print(f"{name:<26} {value:.4g}" if isinstance(value, float) else f"{name:<26} {value}")


if __name__ == "__main__":
    main()
