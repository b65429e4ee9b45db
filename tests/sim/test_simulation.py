"""The front door on a real network: layers, table, JSON and trace."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from setun_compiler import compile_model
from setun_compiler.program import Program
from setun_hw import presets
from setun_hw.errors import SetunError
from setun_sim import Result, simulate, trace
from setun_sim.table import time_rows, traffic_rows

Arrays = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def data(model_data: Callable[[str, str], Arrays]) -> Arrays:
    return model_data("tnn_vgg_mnist", "test256.npz")


@pytest.fixture(scope="module")
def program(model_path: Callable[[str, str], Path], data: Arrays) -> Program:
    path = model_path("tnn_vgg_mnist", "frozen_legacy.onnx")
    return compile_model(path, presets.config("wide"), calibration=data["x"])


@pytest.fixture(scope="module")
def result(program: Program, data: Arrays) -> Result:
    return simulate(program, data["x"])


def test_logits_are_the_float_models(result: Result, data: Arrays) -> None:
    assert result.logits is not None
    np.testing.assert_allclose(result.logits, data["logits"], atol=1e-4)


def test_without_samples_only_time_is_known(program: Program, result: Result) -> None:
    bare = simulate(program, None)
    assert bare.logits is None
    assert bare.runs == 0
    assert np.array_equal(bare.counters, result.counters)
    assert all(layer.activity is None for layer in bare.layers)
    assert all(layer.activity is None for layer in simulate(program, np.zeros((1, 1, 28, 28)), activity=False).layers)


def test_macs_and_utilisation_follow_from_the_layers(result: Result) -> None:
    """3x3 convolutions of 1-16, 16-16, 16-32 and 32-32 channels on 28, 14, 14 and 5 rows, then 800-64-10."""
    macs = [9 * 16 * 784, 9 * 16 * 16 * 196, 9 * 16 * 32 * 196, 9 * 32 * 32 * 25, 800 * 64, 640]
    assert [layer.macs for layer in result.layers] == macs
    assert result.macs == sum(macs)
    for layer in result.layers[1:]:
        assert layer.utilisation == pytest.approx(layer.macs / (layer.cycles * 32 * 32 * 4))


def test_activity_adds_up(result: Result) -> None:
    for layer in result.layers:
        a = layer.activity
        assert a is not None
        assert a.multiplications == 256 * layer.steps * 32 * 32 * 4
        assert 0 < a.products < a.multiplications
        assert 0 < a.updates < a.accumulations
        assert a.activation_reads + a.padding_reads == 256 * layer.steps * 4


def test_more_inputs_than_one_chunk_change_nothing(program: Program, data: Arrays, result: Result) -> None:
    few = simulate(program, data["x"][:3])
    assert few.logits is not None
    assert result.logits is not None
    assert np.array_equal(few.logits, result.logits[:3])


def test_json_has_the_stable_keys(result: Result) -> None:
    document = json.loads(json.dumps(result.to_json()))
    assert {"cycles", "macs", "utilisation", "layers"} <= set(document)
    for layer in document["layers"]:
        assert {"name", "cycles", "macs", "utilisation", "stalls", "traffic", "activity"} <= set(layer)
    assert document["cycles"] == result.cycles


def test_table_names_every_layer(result: Result) -> None:
    for rows in (time_rows(result.layers), traffic_rows(result.layers)):
        assert [row[0] for row in rows][1:] == [layer.name for layer in result.layers]
    assert f"{result.cycles} cycles" in result.to_text()


def test_trace_covers_the_run_and_no_track_overlaps(result: Result, tmp_path: Path) -> None:
    trace.write(result, tmp_path / "t.json")
    document = json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))
    spans = [event for event in document["traceEvents"] if event["ph"] == "X"]
    assert {event["tid"] for event in spans} == {0, 1, 2, 3}
    for track in range(4):
        own = sorted((event["ts"], event["ts"] + event["dur"]) for event in spans if event["tid"] == track)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(own))
    assert max(event["ts"] + event["dur"] for event in spans) == result.cycles
    names = {event["name"] for event in spans if event["tid"] == 1}
    assert names == {layer.name for layer in result.layers}


def test_samples_that_do_not_fit_are_refused(program: Program) -> None:
    with pytest.raises(SetunError, match=r"must have shape"):
        simulate(program, np.zeros((1, 3)))
