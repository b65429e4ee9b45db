"""Ternary quantizers of weights and activations with their straight-through gradients.

Each is a plain formula of the paper it comes from; gradients pass through the ``x + (q - x).detach()`` idiom, so that
the exported graph holds ordinary operators only.
"""

import torch
from torch import Tensor


def straight_through(x: Tensor, quantized: Tensor) -> Tensor:
    """``quantized`` forward, the gradient of ``x`` backward."""
    return x + (quantized - x).detach()


def per_channel(w: Tensor) -> tuple[int, ...]:
    """All axes but the output channel's."""
    return tuple(range(1, w.dim()))


def twn(w: Tensor) -> Tensor:
    """TWN (Li et al. 2016, eq. 3-6): delta = 0.7 E|w|, alpha = mean of |w| above delta; one pair per output channel."""
    axes = per_channel(w)
    delta = 0.7 * w.abs().mean(axes, keepdim=True)
    above = (w.abs() > delta).to(w.dtype)
    alpha = (w.abs() * above).sum(axes, keepdim=True) / above.sum(axes, keepdim=True).clamp(min=1)
    return straight_through(w, alpha * w.sign() * above)


def ttq(w: Tensor, positive: Tensor, negative: Tensor, share: float = 0.05) -> Tensor:
    """TTQ (Zhu et al. 2017, eq. 6-8): +Wp above share*max|w|, -Wn below its negative; Wp and Wn are learned.

    The gradient of a latent weight is scaled by Wp, 1 or Wn, as the paper does.
    """
    delta = share * w.abs().max().detach()
    plus, minus = (w > delta).to(w.dtype), (w < -delta).to(w.dtype)
    latent = w * (positive * plus + negative * minus + (1 - plus - minus)).detach()
    return latent - latent.detach() + positive * plus - negative * minus


def uniform(w: Tensor) -> Tensor:
    """Uniform ternary weights: normalised to zero mean and unit variance in each output channel, cut at +-0.43,
    which gives
    the three values equal shares of a normal distribution. The scale is left to the batch-norm behind it."""
    axes = per_channel(w)
    normal = (w - w.mean(axes, keepdim=True)) / (w.std(axes, keepdim=True) + 1e-6)
    trits = (normal > 0.43).to(w.dtype) - (normal < -0.43).to(w.dtype)
    return straight_through(normal, trits)


class AsymmetricTernary(torch.autograd.Function):
    """+1 above ``high``, -1 below ``low``. Backward (bi-STE): a bump of unit area around each threshold, so that the
    activation and both thresholds learn only from values near a decision."""

    @staticmethod
    def forward(ctx, x: Tensor, low: Tensor, high: Tensor) -> Tensor:  # type: ignore[no-untyped-def,override]
        ctx.save_for_backward(x, low, high)
        return (x > high).to(x.dtype) - (x < low).to(x.dtype)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[no-untyped-def,override]
        x, low, high = ctx.saved_tensors
        upper = grad * (1 - (x - high).abs()).clamp(min=0)
        lower = grad * (1 - (x - low).abs()).clamp(min=0)
        axes = [axis for axis in range(x.dim()) if axis != 1]
        return upper + lower, -lower.sum(axes, keepdim=True), -upper.sum(axes, keepdim=True)


def asymmetric(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Ternary activation with two learned thresholds for each channel; exports as comparisons and a subtraction."""
    if torch.onnx.is_in_onnx_export():
        return (x > high).to(x.dtype) - (x < low).to(x.dtype)
    return AsymmetricTernary.apply(x, low, high)  # type: ignore[no-any-return,no-untyped-call]
