"""One-layer networks whose every field a test may set."""

from typing import Any

import numpy as np

from setun_compiler import interpret
from setun_compiler.network import Feature, Integers, Layer, Network, Output, Port, Raw, Threshold

RAW = "raw"


def network(
    weights: Integers,
    shape: tuple[int, int, int],
    *,
    low: int = -1,
    high: int = 1,
    thresholds: Integers | None = None,
    codes: Integers | None = None,
    port: dict[str, Any] | None = None,
    **fields: Any,
) -> Network:
    """A single layer; raw with scale 1 and bias 0 unless thresholds and codes are given."""
    out = len(weights)
    post: Raw | Threshold = Raw(scale=np.ones(out), bias=np.zeros(out))
    if thresholds is not None and codes is not None:
        post = Threshold(thresholds=np.array(thresholds), codes=np.array(codes))
    layer = Layer(name="layer", source="x", target="y", weights=np.array(weights), post=post, **fields)
    x = Feature(name="x", channels=shape[0], rows=shape[1], cols=shape[2], low=low, high=high)
    _, _, rows, cols = interpret.run_layer(layer, np.zeros((1, *shape), np.int64)).output.shape
    least, most = (int(np.min(codes)), int(np.max(codes))) if codes is not None else (0, 0)
    y = Feature(name="y", channels=out, rows=rows, cols=cols, low=least, high=most)
    return Network(
        name="small",
        port=Port(**{"name": "x", "shape": shape, "feature": "x", "scale": 1.0, "zero": 0, **(port or {})}),
        output=Output(name="y", feature="y", shape=y.shape),
        features={"x": x, "y": y},
        layers=(layer,),
    )
