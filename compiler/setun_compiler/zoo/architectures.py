"""The networks of the literature, layer by layer, with ternary weights and activations.

Each function adds its layers to a :class:`Builder` and returns input and output. ``width`` divides every channel
count and
``size`` sets the image's rows and columns, so that a scaled-down copy keeps the structure.
"""

from collections.abc import Callable

from setun_compiler.zoo.builder import Builder, Value


def _block(net: Builder, x: Value, channels: int, kernel: int = 3, padding: int | None = None) -> Value:
    return net.ternary(net.batch_norm(net.conv(x, channels, kernel, padding=padding)))


def lenet5(net: Builder, size: int = 28, width: int = 1) -> tuple[Value, Value]:
    """LeNet-5 in TWN's form: 32-C5, MP2, 64-C5, MP2, 512-FC, 10 (Li et al. 2016, section 3.1)."""
    source = Value("input", (1, size, size))
    x = source
    for channels in (32, 64):
        x = net.max_pool(_block(net, x, channels // width, 5, 0), 2, 2)
    x = net.ternary(net.batch_norm(net.linear(net.flatten(x), 512 // width)))
    return source, net.linear(x, 10, bias=True)


def vgg_s(net: Builder, size: int = 32, width: int = 1) -> tuple[Value, Value]:
    """VGG-S for CIFAR-10: 2x(128-C3)-MP2-2x(256-C3)-MP2-2x(512-C3)-MP2-1024FC-10 (TWN, Li et al. 2016)."""
    source = x = Value("input", (3, size, size))
    for channels in (128, 256, 512):
        x = _block(net, _block(net, x, channels // width), channels // width)
        x = net.max_pool(x, 2, 2)
    x = net.ternary(net.batch_norm(net.linear(net.flatten(x), 1024 // width)))
    return source, net.linear(x, 10, bias=True)


def cutie(net: Builder, size: int = 32, width: int = 1) -> tuple[Value, Value]:
    """CUTIE's public CIFAR-10 network at the silicon's 96 channels, thermometer-coded input (arXiv 2011.01713)."""
    channels = 96 // width
    source = Value("input", (channels, size, size))
    x = net.trits(source)
    for index in range(7):
        x = _block(net, x, channels)
        if index in (2, 4, 6):
            x = net.max_pool(x, 2, 2)
    x = net.average_pool(_block(net, x, channels), size // 8, size // 8)
    return source, net.linear(net.flatten(x), 10)


def cifar_resnet(blocks: int) -> Callable[..., tuple[Value, Value]]:
    """ResNet of 6*blocks+2 layers for CIFAR-10 (He et al. 2015, section 4.2), residuals in fixed point, RPReLU after
    each
    addition, shortcuts across stages by average pooling and channel concatenation."""

    def build(net: Builder, size: int = 32, width: int = 1) -> tuple[Value, Value]:
        source = Value("input", (3, size, size))
        x = net.rprelu(net.batch_norm(net.conv(source, 16 // width, 3)))
        for stage, channels in enumerate((16, 32, 64)):
            for index in range(blocks):
                stride = 2 if stage and not index else 1
                y = net.batch_norm(net.conv(net.ternary(x), channels // width, 3, stride))
                y = net.batch_norm(net.conv(net.ternary(y), channels // width, 3))
                if stride == 2:
                    x = net.average_pool(x, 2, 2)
                    x = net.concat(x, x)
                x = net.rprelu(net.add(y, x))
        return source, net.linear(net.global_average(x), 10, bias=True)

    return build


def imagenet_resnet(layers: tuple[int, ...], bottleneck: bool) -> Callable[..., tuple[Value, Value]]:
    """ResNet for ImageNet (He et al. 2015, table 1; bottlenecks stride in their 3x3, as torchvision trains them), 1x1
    projection shortcuts, residuals in fixed point."""

    def build(net: Builder, size: int = 224, width: int = 1) -> tuple[Value, Value]:
        source = Value("input", (3, size, size))
        x = net.max_pool(net.rprelu(net.batch_norm(net.conv(source, 64 // width, 7, 2))), 3, 2, 1)
        expansion = 4 if bottleneck else 1
        for stage, count in enumerate(layers):
            channels = (64 << stage) // width
            for index in range(count):
                stride = 2 if stage and not index else 1
                t = net.ternary(x)
                if bottleneck:
                    y = net.ternary(net.batch_norm(net.conv(t, channels, 1)))
                    y = net.ternary(net.batch_norm(net.conv(y, channels, 3, stride)))
                    y = net.batch_norm(net.conv(y, channels * expansion, 1))
                else:
                    y = net.ternary(net.batch_norm(net.conv(t, channels, 3, stride)))
                    y = net.batch_norm(net.conv(y, channels, 3))
                if not index and (stage or bottleneck):
                    x = net.batch_norm(net.conv(t, channels * expansion, 1, stride))
                x = net.rprelu(net.add(y, x))
        return source, net.linear(net.global_average(x), 1000 // width, bias=True)

    return build


def alexnet(net: Builder, size: int = 224, width: int = 1) -> tuple[Value, Value]:
    """AlexNet in its one-tower form with batch normalisation (Krizhevsky 2014; TTQ's table 3 network)."""
    source = Value("input", (3, size, size))
    x = net.ternary(net.batch_norm(net.conv(source, 64 // width, 11, 4, 2)))
    x = _block(net, net.max_pool(x, 3, 2), 192 // width, 5)
    x = net.max_pool(x, 3, 2)
    for channels in (384, 256, 256):
        x = _block(net, x, channels // width)
    x = net.flatten(net.max_pool(x, 3, 2))
    for _ in range(2):
        x = net.ternary(net.batch_norm(net.linear(x, 4096 // width)))
    return source, net.linear(x, 1000 // width, bias=True)


def bitnet_layer(outputs: int, inputs: int) -> Callable[..., tuple[Value, Value]]:
    """One linear layer of BitNet b1.58 2B4T: ternary weights, int8 activations with a static scale (arXiv
    2504.12285)."""

    def build(net: Builder, size: int = 0, width: int = 1) -> tuple[Value, Value]:
        source = Value("input", (inputs // width,))
        return source, net.linear(net.quantize(source, 1 / 127), outputs // width)

    return build
