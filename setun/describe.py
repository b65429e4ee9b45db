"""What is in a program, as a document and as text."""

from typing import TYPE_CHECKING, Any

from setun.tables import table
from setun_compiler.program import Program
from setun_hw.config import Config

if TYPE_CHECKING:  # it brings the model reader with it
    from setun_compiler.agreement import Agreement


def memory_bits(config: Config) -> int:
    """Bits of all on-chip memories: activation banks, residual memories, weight and parameter memory."""
    strip = config.activation_words * config.word_bits + config.residual_words * config.residual_word_bits
    weights = config.weight_words * config.weight_word_bits
    return config.strips * strip + weights + config.parameter_words * config.parameter_word_bits


def describe(program: Program) -> dict[str, Any]:
    """Everything ``setun info`` tells, with stable keys; sizes in bytes unless the key says otherwise."""
    return {
        "name": program.name,
        "config": program.config.to_dict(),
        "encoding": str(program.config.encoding),
        "source_hash": program.source_hash,
        "images": program.images,
        "rounds": program.rounds,
        "input": {"name": program.input.name, "shape": list(program.input.shape)},
        "output": {"name": program.output.name, "shape": list(program.output.shape)},
        "descriptors": {"init": program.init_count, "run": program.run_count},
        "bytes": {
            "program": len(program.image),
            "input": program.input_bytes,
            "output": program.output_bytes,
            "scratch": program.scratch_bytes,
        },
        "macs": sum(layer.macs for layer in program.layers),
        "weights": sum(layer.weights for layer in program.layers),
        "zero_weights": sum(layer.zero_weights for layer in program.layers),
        "layers": [
            {
                "name": layer.name,
                "in_shape": list(layer.in_shape),
                "out_shape": list(layer.out_shape),
                "macs": layer.macs,
                "digit_macs": layer.digit_macs,
                "weights": layer.weights,
                "zero_weights": layer.zero_weights,
                "accumulator_bound": layer.accumulator_bound,
                "descriptors": list(layer.descriptors),
            }
            for layer in program.layers
        ],
        "placements": [
            {"tensor": p.tensor, "memory": p.memory, "base": p.base, "words": p.words, "first": p.first, "last": p.last}
            for p in program.placements
        ],
        "notes": list(program.notes),
    }


def describe_text(program: Program) -> str:
    """The same for people: a heading, one line a layer, notes."""
    config = program.config
    rows = [
        (
            layer.name,
            "x".join(str(size) for size in layer.in_shape),
            "x".join(str(size) for size in layer.out_shape),
            layer.macs,
            layer.weights,
            100.0 * layer.zero_weights / max(1, layer.weights),
            layer.accumulator_bound,
        )
        for layer in program.layers
    ]
    lines = [
        f"{program.name}: {len(rows)} layers, {sum(layer.macs for layer in program.layers)} MACs per input",
        f"configuration {config.name}: {config.rows} rows x {config.lanes} lanes x {config.strips} strips,"
        f" {config.encoding}",
        f"program {len(program.image)} bytes, {program.init_count} + {program.run_count} descriptors,"
        f" model SHA-256 {program.source_hash[:16] or 'unknown'}",
        "",
        table(("layer", "in", "out", "MACs", "weights", "zero %", "|sum| <="), rows),
    ]
    if program.notes:
        lines += ["", *(f"note: {note}" for note in program.notes)]
    return "\n".join(lines)


def agreement_text(agreement: "Agreement") -> str:
    """How far the integer network is from the float model, layer by layer and at the end."""
    rows = [
        (
            layer.layer, _share(layer.changed), _share(layer.could_change), f"{layer.largest_error:.4g}",
            f"{layer.largest_value:.4g}",
        )
        for layer in agreement.layers
    ]  # fmt: skip
    lines = [f"against the float model, {agreement.samples} samples:"]
    if rows:
        lines.append(table(("layer", "changed", "could be", "largest error", "largest value"), rows))
    lines.append(f"outputs: largest error {agreement.largest_error:.4g} of {agreement.largest_value:.4g}")
    lines.append(f"same largest output: {agreement.same_argmax:.2%}")
    if agreement.accuracy is not None:
        lines.append(f"accuracy: float {agreement.float_accuracy:.2%}, integers {agreement.accuracy:.2%}")
    return "\n".join(lines)


def _share(part: float | None) -> str:
    return "-" if part is None else f"{part:.3%}"
