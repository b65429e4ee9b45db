"""What the three scripts share: the data, the training loop, the export."""

import argparse
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """scikit-learn's 1797 handwritten digits, 8x8, as x in 0..1 in steps of 1/16: train x, train y, test x, test y."""
    data = load_digits()
    x = torch.tensor(data.images / 16, dtype=torch.float32)[:, None]
    y = torch.tensor(data.target)
    order = torch.tensor(np.random.default_rng(0).permutation(len(x)))
    x, y = x[order], y[order]
    return x[400:], y[400:], x[:400], y[:400]


def distillation(logits: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
    """Half cross-entropy with the labels, half KL divergence from the teacher at temperature 2 (Hinton et al. 2015)."""
    soft = (
        functional.kl_div(
            functional.log_softmax(logits / 2, 1), functional.softmax(teacher / 2, 1), reduction="batchmean"
        )
        * 4
    )
    return (functional.cross_entropy(logits, labels) + soft) / 2


def train(net: nn.Module, epochs: int, rate: float = 0.01, teacher: nn.Module | None = None) -> float:
    """Adam with a cosine schedule; gives the accuracy on the test set."""
    x, y, test_x, test_y = digits()
    optimizer = torch.optim.Adam(net.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(epochs, 1))
    for _ in range(epochs):
        net.train()
        for batch in torch.randperm(len(x)).split(64):
            logits = net(x[batch])
            if teacher is None:
                loss = functional.cross_entropy(logits, y[batch])
            else:
                with torch.no_grad():
                    soft = teacher(x[batch])
                loss = distillation(logits, soft, y[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        schedule.step()
    net.eval()
    with torch.no_grad():
        return float((net(test_x).argmax(1) == test_y).float().mean())


def export(net: nn.Module, folder: Path) -> None:
    """Write ``model.onnx`` and ``test.npz`` (x, label, logits) into ``folder``."""
    _, _, x, y = digits()
    folder.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        logits = net(x)
    torch.onnx.export(
        net,
        (x[:1],),
        str(folder / "model.onnx"),
        input_names=["input"],
        output_names=["logits"],
        dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
        dynamo=False,
        opset_version=17,
    )
    np.savez(folder / "test.npz", x=x.numpy(), label=y.numpy(), logits=logits.numpy())


def arguments(description: str | None, epochs: int) -> argparse.Namespace:
    """``-o FOLDER`` and ``--epochs N``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for model.onnx and test.npz")
    parser.add_argument(
        "--epochs", type=int, default=epochs, help="passes over the training set (default: %(default)s)"
    )
    torch.manual_seed(0)
    return parser.parse_args()
