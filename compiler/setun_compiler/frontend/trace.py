"""The walk through the graph: constants are folded, tensors followed, linear operators turned into layers."""

import math
from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from setun_compiler.frontend.builder import Builder
from setun_compiler.frontend.collect import collect, concat, mapped_parts
from setun_compiler.frontend.crops import cropped
from setun_compiler.frontend.elementwise import ELEMENTWISE, aligned, check_inputs
from setun_compiler.frontend.errors import ModelError, printable
from setun_compiler.frontend.evaluate import gemm
from setun_compiler.frontend.expression import Expression
from setun_compiler.frontend.fold import FOLDED, Folder, concatenate, shape_of
from setun_compiler.frontend.graph import Array, Graph, Node
from setun_compiler.frontend.inputs import InputReader
from setun_compiler.frontend.joins import join
from setun_compiler.frontend.layout import FEATURE_LIMIT, LAYOUT, axes_of, pad_widths, sized
from setun_compiler.frontend.linear import LinearOperators
from setun_compiler.frontend.pooling import Pooling
from setun_compiler.frontend.tensors import Collection, Input, Mapped, Source, Tensor, per_group, synthetic
from setun_compiler.frontend.weights import FloatLayers

Known = Tensor | Array

LINEAR = ("Conv", "Gemm", "MatMul")
POOLING = ("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool")
#: what malformed attributes and shapes make NumPy raise; a model's fault, so it is reported with the node
MALFORMED = (ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError, ZeroDivisionError, MemoryError)


def supported(node: Node) -> bool:
    """Whether the front end knows the operator at all."""
    if (node.domain, node.op) in ELEMENTWISE:
        return True
    return node.domain == "" and (node.op in LAYOUT or node.op in FOLDED or node.op in LINEAR or node.op in POOLING)


@dataclass
class Tracer:
    """Follows every value from the input to the output."""

    graph: Graph
    builder: Builder
    operators: LinearOperators
    pooling: Pooling
    folder: Folder = field(default_factory=Folder)
    known: dict[str, Known] = field(default_factory=dict)
    #: how often each value will still be read
    uses: Counter[str] = field(default_factory=Counter)

    @classmethod
    def start(
        cls, graph: Graph, builder: Builder, input_range: tuple[float, float] | None, calibration: Array | None,
        float_layers: FloatLayers,
    ) -> "Tracer":  # fmt: skip
        """A tracer that knows the constants and the input."""
        source = Input(value=graph.input, shape=_sample_shape(graph))
        reader = InputReader(source=source, builder=builder, input_range=input_range, calibration=calibration)
        operators = LinearOperators(builder=builder, reader=reader, float_layers=float_layers)
        tracer = cls(graph=graph, builder=builder, operators=operators, pooling=Pooling(operators=operators))
        tracer.known.update(graph.constants)
        index = np.arange(source.groups).reshape(1, *source.shape)
        tracer.known[graph.input.name] = Tensor(source=source, value=Expression(), index=index)
        return tracer

    def run(self) -> Tensor:
        """The tensor that is the model's output.

        Raises
        ------
        ModelError
            Naming the node that cannot be compiled.
        """
        self.uses.update(name for node in self.graph.nodes for name in node.inputs)
        self.uses[self.graph.output.name] += 1
        for node in self.graph.nodes:
            for name in node.inputs:
                self.uses[name] -= 1
            try:
                results = self._visit(node)
            except MALFORMED as error:
                raise ModelError(f"{node} is malformed ({printable(str(error))[1:-1]})") from None
            if len(node.outputs) > len(results) and any(node.outputs[len(results) :]):
                raise ModelError(f"{node}: only its first output is supported")
            for name, result in zip(node.outputs, results, strict=False):
                if not name:
                    continue
                self.known[name] = result
                if isinstance(result, Tensor) and isinstance(result.source, Mapped) and _plain(result):
                    self.builder.named(result.source, result.value, name)
            for name in node.inputs:
                if not self.uses[name]:
                    self.known.pop(name, None)
        result = self.known[self.graph.output.name]
        if not isinstance(result, Tensor) or isinstance(result.source, Input):
            raise ModelError("the model's output does not depend on its input through a Conv, Gemm or MatMul")
        return result

    def _visit(self, node: Node) -> list[Known]:
        inputs = tuple(self.known[name] if name else None for name in node.inputs)
        constants = tuple(value if not isinstance(value, Tensor) else None for value in inputs)
        tensors = [value for value in inputs if isinstance(value, Tensor)]
        if (node.domain, node.op) in ELEMENTWISE:
            check_inputs(node)
        if not tensors:
            if node.op == "Gemm":
                return [gemm(node, constants)]
            if node.op in LINEAR[:2] or node.op in POOLING:
                raise ModelError(f"{node} works on constants only, which is not supported")
            return list(self.folder.fold(node, constants))
        first = inputs[0]
        if node.op == "CastLike" and isinstance(first, np.ndarray):  # what depends on the input is float
            return list(self.folder.fold(node, (first, np.zeros((), np.float32))))
        if (node.domain, node.op) in ELEMENTWISE:
            return [self._elementwise(node, inputs)]
        if node.op in ("Gemm", "MatMul"):
            return [self._product(node, inputs)]
        if node.op == "Concat":
            return [self._concat(node, inputs, tensors)]
        if len(tensors) > 1 or not isinstance(first, Tensor):
            raise ModelError(f"{node}: what must be a constant depends on the model's input")
        if node.op in LAYOUT:
            moved = LAYOUT[node.op](node, (first.index, *constants[1:]))
            for index in moved:
                sized(node, index.shape, FEATURE_LIMIT)
            made = [Tensor(source=first.source, value=first.value, index=index) for index in moved]
            # a layer that nothing else reads need not make what is cut off
            smaller = cropped(made[0]) if node.op == "Slice" and self._is_fresh(first.source) else None
            return [smaller] if smaller is not None else list(made)
        if node.op == "Shape":
            return [shape_of(node, first.index.shape)]
        if node.op == "Size":
            return [np.array(first.index.size, np.int64)]
        if node.op == "Pad":
            return [self._pad(node, first, constants)]
        if node.op == "Conv":
            weight = constants[1] if len(constants) > 1 else None
            if weight is None:
                raise ModelError(f"{node} lacks its weights")
            bias = constants[2] if len(constants) > 2 else None
            if isinstance(first.source, Collection) and collect(node, first, self.operators) is None:
                raise ModelError(f"{node}: reads branches whose integers stand for different real values")
            return [self.operators.conv(node, first, weight, bias)]
        return [self._pool(node, first, constants)]

    def _elementwise(self, node: Node, inputs: tuple[Known | None, ...]) -> Tensor:
        tensors = [value for value in inputs if isinstance(value, Tensor)]
        source = tensors[0].source
        if any(value.source is not source for value in tensors):
            return self._join(node, inputs, tensors)
        rank = tensors[0].index.shape
        plain = tuple(value if not isinstance(value, Tensor) else None for value in inputs)
        fitted = [aligned(node, plain, rank, place) for place in range(len(inputs))]
        if node.op == "CastLike" and isinstance(inputs[1], Tensor):
            fitted[1], inputs = np.zeros((), np.float32), (inputs[0], np.zeros((), np.float32))
        shapes = [
            value.index.shape if isinstance(value, Tensor) else value.shape
            for value in (*tensors, *fitted)
            if value is not None
        ]
        shape = sized(node, np.broadcast_shapes(*shapes), FEATURE_LIMIT)
        index = np.broadcast_to(tensors[0].index, shape)
        if tensors[0].index.size != index.size or any(
            not np.array_equal(np.broadcast_to(value.index, shape), index) for value in tensors[1:]
        ):
            raise ModelError(f"{node}: combines elements of different places, or repeats its input")
        if (index < 0).any():
            raise ModelError(f"{node}: elementwise operators after a Pad node are not supported")
        arguments: list[Expression | Array | None] = []
        for value, constant in zip(inputs, fitted, strict=True):
            if isinstance(value, Tensor):
                arguments.append(value.value)
            else:
                arguments.append(None if constant is None else self._parameter(node, constant, source, index))
        return Tensor(source=source, value=Expression(node=node, arguments=tuple(arguments)), index=index)

    def _join(self, node: Node, inputs: tuple[Known | None, ...], tensors: list[Tensor]) -> Tensor:
        """Branches meet: only by addition."""
        if node.op not in ("Add", "Sum", "Sub") or len(tensors) < len(inputs):
            raise ModelError(f"{node} joins branches of the network, which only Add, Sum, Sub and Concat can do")
        total = tensors[0]
        for other in tensors[1:]:
            if node.op == "Sub":
                negated = Expression(node=synthetic("Neg", node.name), arguments=(other.value,))
                other = Tensor(source=other.source, value=negated, index=other.index)
            total = join(node, total, other, self.operators, self._is_fresh)
        return total

    def _is_fresh(self, source: Source) -> bool:
        """Whether no layer is made of the source yet and no other value of it will be read."""
        return not self.builder.demanded(source) and not any(
            isinstance(value, Tensor) and value.source is source and self.uses[name]
            for name, value in self.known.items()
        )

    @staticmethod
    def _parameter(node: Node, constant: Array, source: object, index: Array) -> Array:
        return per_group(node, constant, source, index)  # type: ignore[arg-type]

    def _product(self, node: Node, inputs: tuple[Known | None, ...]) -> Tensor:
        """Gemm and MatMul with one constant side."""
        if len(inputs) < 2 or isinstance(inputs[0], Tensor) == isinstance(inputs[1], Tensor):
            raise ModelError(f"{node} multiplies two tensors that both depend on the input, which is not supported")
        a, b = _positions(inputs[0]), _positions(inputs[1])
        alpha = beta = 1.0
        if node.op == "Gemm":
            a = a.T if node.integer("transA", 0) else a
            b = b.T if node.integer("transB", 0) else b
            alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
            if a.ndim != 2 or b.ndim != 2:
                raise ModelError(
                    f"{node}: its inputs must be matrices, not of shapes {list(a.shape)} and {list(b.shape)}"
                )
        swapped = isinstance(inputs[1], Tensor)
        if swapped:  # (A @ X) = (X^T @ A^T)^T
            if a.ndim != 2 or b.ndim < 2:
                raise ModelError(f"{node}: its constant must be a matrix, not of shape {list(a.shape)}")
            a, b = np.swapaxes(b, -1, -2), a.T
        tensor = inputs[1] if swapped else inputs[0]
        assert isinstance(tensor, Tensor)
        if b.ndim > 2 and b.size == b.shape[-1] * b.shape[-2]:
            b = b.reshape(b.shape[-2], b.shape[-1])
        if b.ndim != 2 or a.shape[-1] != b.shape[0] or not b.size:
            raise ModelError(f"{node}: shapes {list(a.shape)} and {list(b.shape)} cannot be multiplied")
        outputs = b.shape[1]
        out_shape = sized(node, (*a.shape[:-1], outputs), FEATURE_LIMIT)
        bias = np.zeros(outputs)
        if len(inputs) > 2 and inputs[2] is not None:
            constant = inputs[2]
            if isinstance(constant, Tensor) or swapped:
                raise ModelError(f"{node}: its third input must be a constant row")
            if np.broadcast_shapes(constant.shape, (1, outputs)) != (1, outputs):
                raise ModelError(f"{node}: a bias of shape {list(constant.shape)} does not fit {outputs} outputs")
            bias = np.broadcast_to(constant.astype(np.float64) * beta, (1, outputs))[0].copy()
        weight = b.T if alpha == 1 else b.T * np.asarray(alpha, b.dtype)
        if isinstance(tensor.source, Collection) and collect(node, tensor, self.operators) is None:
            if a.size != a.shape[-1]:
                raise ModelError(f"{node}: reads branches whose integers stand for different real values")
            result = self._in_parts(node, tensor, a.reshape(-1), weight, bias)
            return Tensor(source=result.source, value=result.value, index=result.index.reshape(out_shape))
        result = self.operators.dense(node, tensor, a.reshape(-1, a.shape[-1]), weight, bias)
        index = result.index.reshape(out_shape)
        return Tensor(source=result.source, value=result.value, index=np.swapaxes(index, -1, -2) if swapped else index)

    def _in_parts(self, node: Node, tensor: Tensor, positions: Array, weight: Array, bias: Array) -> Tensor:
        """A fully connected layer on branches that share no integers: the sum of one for each branch."""
        source = tensor.source
        assert isinstance(source, Collection)
        total: Tensor | None = None
        start = 0
        for part in source.of_parts(tensor.value):
            mine = (positions >= start) & (positions < start + part.index.size)
            rows = part.index.ravel()[positions[mine] - start][None]
            start += part.index.size
            if not mine.any():
                continue
            made = self.operators.dense(node, part, rows, weight[:, mine], bias if total is None else 0 * bias)
            total = made if total is None else join(node, total, made, self.operators, lambda source: True)
        assert total is not None
        return total

    def _concat(self, node: Node, inputs: tuple[Known | None, ...], tensors: list[Tensor]) -> Tensor:
        first = tensors[0]
        if len(tensors) < len(inputs) or any(
            x.source is not first.source or x.value is not first.value for x in tensors
        ):
            return concat(node, inputs, self.operators)
        index = concatenate(node, [tensor.index for tensor in tensors])
        return Tensor(source=first.source, value=first.value, index=index)

    def _pad(self, node: Node, tensor: Tensor, constants: tuple[Array | None, ...]) -> Tensor:
        fill = constants[2] if len(constants) > 2 else None
        value = node.number("value", 0.0) if fill is None else float(fill.item())
        if value != 0 or node.text("mode", "constant") != "constant":
            raise ModelError(f"{node}: only padding with the constant 0 is supported")
        widths = pad_widths(node, (tensor.index, *constants[1:]))
        return Tensor(source=tensor.source, value=tensor.value, index=np.pad(tensor.index, widths, constant_values=-1))

    def _pool(self, node: Node, tensor: Tensor, constants: tuple[Array | None, ...]) -> Tensor:
        parts = mapped_parts(tensor)
        if parts is not None:
            joining = replace(node, op="Concat", attributes={"axis": 1})
            return concat(joining, tuple(self._pool(node, part, constants) for part in parts), self.operators)
        if node.op in ("MaxPool", "AveragePool"):
            kernel = node.integers("kernel_shape", ())
            return (
                self.pooling.maximum(node, tensor, kernel)
                if node.op == "MaxPool"
                else self.pooling.average(node, tensor, kernel)
            )
        if node.op == "GlobalMaxPool":
            return self.pooling.maximum(node, tensor, None)
        if node.op == "GlobalAveragePool":
            return self.pooling.average(node, tensor, None)
        rank = tensor.index.ndim
        axes = axes_of(node, (tensor.index, *constants[1:]), rank) or tuple(range(rank))
        if node.op == "ReduceMax" and (rank < 3 or sorted(axes) != list(range(2, rank))):
            raise ModelError(
                f"{node}: takes a maximum over all of its input, as dynamic quantisation does for its scale; the "
                "accelerator needs static scales"
            )
        if node.op not in ("ReduceMean", "ReduceMax") or rank < 3 or sorted(axes) != list(range(2, rank)):
            raise ModelError(
                f"{node}: only a mean or maximum over all rows and columns is supported, not over features, as layer "
                "and RMS normalisation take it: their scale depends on the input, and the accelerator's are static"
            )
        result = (self.pooling.average if node.op == "ReduceMean" else self.pooling.maximum)(node, tensor, None)
        if node.integer("keepdims", 1):
            return result
        return Tensor(source=result.source, value=result.value, index=result.index.reshape(result.index.shape[:2]))


def _plain(tensor: Tensor) -> bool:
    """Whether a tensor holds all of its source, in the source's order."""
    count = math.prod(tensor.source.shape)
    return tensor.index.size == count and bool((tensor.index.ravel() == np.arange(count)).all())


def _positions(value: Known | None) -> Array:
    return value.index if isinstance(value, Tensor) else np.asarray(value)


def _sample_shape(graph: Graph) -> tuple[int, ...]:
    """The input's shape without the batch axis."""
    name, shape = printable(graph.input.name), graph.input.shape
    if graph.input.dtype.kind not in "fiu":
        raise ModelError(f"input {name} must be of floats or integers")
    if not shape or len(shape) < 2 or len(shape) > 6:
        raise ModelError(f"input {name} must have a batch axis and at least one more, of known sizes")
    if shape[0] not in (None, 1):
        raise ModelError(
            f"input {name} has a fixed batch of {shape[0]}: export the model with a batch of 1 or a dynamic one"
        )
    sample = tuple(extent for extent in shape[1:] if extent is not None)
    if len(sample) != len(shape) - 1:
        raise ModelError(f"input {name}: only the batch axis may be dynamic, but its shape is {_shown(shape)}")
    return sized(Node(op="input", name=graph.input.name, inputs=(), outputs=(), attributes={}), sample, FEATURE_LIMIT)


def _shown(shape: tuple[int | None, ...]) -> str:
    return "x".join("?" if extent is None else str(extent) for extent in shape)
