"""The report's one document: plain values with stable keys and units in their names."""

from dataclasses import asdict, dataclass
from typing import Any

from numpy.typing import ArrayLike

from setun_compiler import host
from setun_compiler.program import Program
from setun_sim.cost.energy import Energy
from setun_sim.cost.technology import Technology
from setun_sim.report.comparison import comparison_of, comparison_section
from setun_sim.report.energies import energy_section, technology_section
from setun_sim.report.histograms import histograms
from setun_sim.report.memory_map import memory_maps
from setun_sim.report.priced import inputs_of, priced
from setun_sim.simulation import Result
from setun_sim.timeline import DEFAULT_INTERVAL, DEFAULT_LATENCY


@dataclass(frozen=True, kw_only=True)
class Report:
    """The document, and the simulation and the energy it was made from."""

    document: dict[str, Any]
    result: Result
    energy: Energy


def report(
    program: Program,
    samples: ArrayLike | None,
    technology: Technology,
    *,
    memory: Technology | None = None,
    latency: int = DEFAULT_LATENCY,
    interval: int = DEFAULT_INTERVAL,
    clock_mhz: float | None = None,
) -> Report:
    """Simulate a program and gather everything a report shows.

    Parameters
    ----------
    samples:
        Numbers of shape (images, *shape of one sample); without them one random run is drawn, and the document says so.
    technology, memory:
        Of the chip and of the external memory.
    latency, interval:
        Of the external memory, in cycles.
    clock_mhz:
        Default: the technology's own.

    Raises
    ------
    SetunError
        When samples do not fit the program, the program is malformed, or the clock is no positive number.
    """
    given = samples is not None
    inputs = inputs_of(program, samples)
    result, cost = priced(
        program, inputs, technology, memory=memory, clock_mhz=clock_mhz, latency=latency, interval=interval
    )
    first = host.encode(program, inputs[: program.images])[0].tobytes()
    document = {
        "network": _network(program),
        "configuration": {
            **program.config.to_dict(),
            "multipliers": program.config.multipliers,
        },
        "run": _run(result, cost, images=len(inputs), given=given),
        "layers": _layers(result),
        "roofline": roofline(result),
        "energy": energy_section(cost),
        "memories": [found.to_json() for found in memory_maps(result)],
        "histograms": [found.to_json() for found in histograms(program, first)],
        "comparison": comparison_section(comparison_of(result, technology, memory, clock_mhz)),
        "technology": technology_section(cost),
    }
    return Report(document=document, result=result, energy=cost)


def _network(program: Program) -> dict[str, Any]:
    return {
        "name": program.name,
        "source_sha256": program.source_hash,
        "input_shape": list(program.input.shape),
        "output_shape": list(program.output.shape),
        "macs": sum(layer.macs for layer in program.layers),
        "weights": sum(layer.weights for layer in program.layers),
        "zero_weights": sum(layer.zero_weights for layer in program.layers),
        "layers": [
            {
                "name": layer.name, "in_shape": list(layer.in_shape), "out_shape": list(layer.out_shape),
                "macs": layer.macs, "digit_macs": layer.digit_macs, "weights": layer.weights,
                "zero_weights": layer.zero_weights, "accumulator_bound": layer.accumulator_bound,
            }
            for layer in program.layers
        ],
        "notes": list(program.notes),
    }  # fmt: skip


def _run(result: Result, cost: Energy, *, images: int, given: bool) -> dict[str, Any]:
    per_run = result.program.images
    seconds = result.cycles / (cost.clock_mhz * 1e6)
    return {
        "images": images,
        "random_inputs": not given,
        "images_per_run": per_run,
        "cycles": result.cycles,
        "init_cycles": result.init_cycles,
        "between_layers_cycles": result.cycles - sum(layer.cycles for layer in result.layers),
        "latency_cycles": result.latency,
        "interval_cycles": result.interval,
        "clock_mhz": cost.clock_mhz,
        "seconds": seconds,
        "inputs_per_second": per_run / seconds if seconds else 0.0,
        "utilisation": result.utilisation,
        "traffic": asdict(result.traffic),
    }


def _layers(result: Result) -> list[dict[str, Any]]:
    """Time, utilisation and sparsity of every layer."""
    found = []
    for layer, record in zip(result.layers, result.program.layers, strict=True):
        a = layer.activity
        assert a is not None  # there were samples
        found.append(
            {
                "name": layer.name,
                "cycles": layer.cycles,
                "steps": layer.steps,
                "stalls": asdict(layer.stalls),
                "utilisation": layer.utilisation,
                "traffic": asdict(layer.traffic),
                "sparsity": {
                    "zero_weights": _share(record.zero_weights, record.weights),
                    "zero_activation_digits": _share(a.activation_digits - a.nonzero_activations, a.activation_digits),
                    "zero_products": _share(a.multiplications - a.products, a.multiplications),
                    "unchanged_accumulators": _share(a.accumulations - a.updates, a.accumulations),
                },
            }
        )
    return found


def roofline(result: Result) -> dict[str, Any]:
    """Digit products a cycle over digit products a byte of external memory, by layer and for the network.

    The roof is the number of multipliers and the bytes a cycle that the bus and the memory's interval allow (Williams,
    Waterman and Patterson, 2009). A layer that moves nothing has no intensity: null.
    """
    config, images = result.program.config, result.program.images

    def point(name: str, products: int, cycles: int, moved: int) -> dict[str, Any]:
        return {
            "name": name,
            "products_per_cycle": products / cycles if cycles else 0.0,
            "products_per_byte": products / moved if moved else None,
        }

    t = result.traffic
    total = sum(layer.digit_macs for layer in result.program.layers) * images
    return {
        "products_per_cycle_at_most": config.multipliers,
        "bytes_per_cycle_at_most": config.axi_data_bits / 8 / result.interval,
        "network": point(result.program.name, total, result.cycles, t.read_bytes + t.written_bytes),
        "layers": [
            point(
                layer.name, record.digit_macs * images, layer.cycles,
                layer.traffic.read_bytes + layer.traffic.written_bytes,
            )
            for layer, record in zip(result.layers, result.program.layers, strict=True)
        ],
    }  # fmt: skip


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
