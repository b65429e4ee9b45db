"""Simulator beside onnxruntime: the same network, inputs and processors, float there, cycles and activity counted here.

    python benchmarks/simulate.py [--config wide] [--repeats 9] [--threads 2]

Runs alternate, so that whatever else the machine does falls on both; medians are printed. onnxruntime is called with
its default optimisations. `simulator` is everything from float samples to float logits, cycles and activity; `kernels`
is the part of it between input and output bytes.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime

from setun_compiler import compile_model, host
from setun_hw import presets
from setun_sim import simulate
from setun_sim.execute import execute

MODELS = Path(__file__).parents[1] / "tests" / "models"


def seconds(function: Callable[[], object]) -> float:
    """One timed call."""
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Simulator beside onnxruntime on the same network.")
    parser.add_argument("--model", default="tnn_vgg_mnist/frozen_legacy.onnx", help="file below tests/models")
    parser.add_argument("--config", default="wide", help="named configuration or TOML file")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2, help="of onnxruntime; the simulator takes all it may use")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    path = MODELS / options.model
    with np.load(path.parent / "test256.npz", allow_pickle=False) as archive:
        samples, logits = archive["x"], archive["logits"]
    program = compile_model(path, presets.config(options.config), calibration=samples)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: samples}
    inputs = host.encode(program, samples)

    first = seconds(lambda: simulate(program, samples))
    result = simulate(program, samples)
    assert result.logits is not None
    assert (result.logits.argmax(1) == logits.argmax(1)).all(), "the simulator's answers are wrong"
    session.run(None, feed)
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
        "model": options.model,
        "configuration": options.config,
        "images": len(samples),
        "first_call_s": first,
        **{f"{name}_s": value for name, value in medians.items()},
        "onnxruntime_by_simulator": ratio,
        "onnxruntime_by_kernels": statistics.median(one["onnxruntime"] / one["kernels"] for one in rounds),
        "macs_per_second": result.macs * len(samples) / medians["simulator"],
        "cycles_per_second": result.cycles * result.runs / medians["simulator"],
    }
    if options.json:
        print(json.dumps(document))
        return
    for name, value in document.items():
        print(f"{name:<26} {value:.4g}" if isinstance(value, float) else f"{name:<26} {value}")


if __name__ == "__main__":
    main()
