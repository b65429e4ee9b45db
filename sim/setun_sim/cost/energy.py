"""Energy of a simulated network: exact counts times the unit energies of a technology, plus clock and leakage times
time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from setun_hw.config import Encoding
from setun_sim.cost.errors import CostError
from setun_sim.cost.ledger import Ledger, Sum, static_power
from setun_sim.cost.quantity import Status
from setun_sim.cost.rules import Work, charge, work_of
from setun_sim.cost.structure import COMPONENTS, Structure, structure
from setun_sim.cost.switching import Switching
from setun_sim.cost.technology import Kind, Technology
from setun_sim.simulation import Result


@dataclass(frozen=True, kw_only=True)
class LayerEnergy:
    """Energy of one layer for one input, in fJ by component."""

    name: str
    macs: int
    components: Mapping[str, float]

    @property
    def total_fj(self) -> float:
        """Sum of the components."""
        return sum(self.components.values())


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Energy of one input (in batch mode a run's share).

    ``sums`` are the counts by which each number of the technologies was multiplied; everything else is computed from
    them.
    """

    technology: Technology
    memory: Technology | None
    structure: Structure
    clock_mhz: float
    seconds: float  #: of one run, over the inputs it takes
    layers: tuple[LayerEnergy, ...]
    sums: Mapping[str, Sum]  #: by component
    #: energy of an operation (half a digit's multiply-accumulate) while steps issue in every cycle and nothing is
    #: moved, in
    #: the layer where it is least
    peak_fj_per_op: float
    macs: int
    unknown: tuple[str, ...]  #: what has no number in the technology and is left out

    @cached_property
    def components(self) -> dict[str, float]:
        """fJ of an input by component, in the order of ``COMPONENTS``."""
        found = {name: total.value(self.technology, self.memory) for name, total in self.sums.items()}
        return {name: found[name] for name in COMPONENTS if name in found}

    @property
    def total_fj(self) -> float:
        """fJ of an input."""
        return sum(self.components.values())

    @property
    def fj_per_mac(self) -> float:
        """fJ of a multiply-accumulate of the network, everything shared out."""
        return self.total_fj / self.macs if self.macs else 0.0

    @property
    def power_mw(self) -> float:
        """Mean power while it runs."""
        return self.total_fj * 1e-12 / self.seconds if self.seconds else 0.0

    @cached_property
    def by_number(self) -> dict[str, float]:
        """fJ of an input that each number of the technologies accounts for, largest first; numbers of the external
        memory
        have its name before them."""
        found: dict[str, float] = {}
        for total in self.sums.values():
            for key, value in total.shares(self.technology, self.memory).items():
                found[key] = found.get(key, 0.0) + value
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    @cached_property
    def by_status(self) -> dict[str, float]:
        """Share of the total that rests on numbers of each status."""
        found = {str(status): 0.0 for status in Status}
        for total in self.sums.values():
            for status, value in total.statuses(self.technology, self.memory).items():
                found[status] += value
        return {status: value / self.total_fj if self.total_fj else 0.0 for status, value in found.items()}

    @property
    def assumed_share(self) -> float:
        """Share of the total that rests on assumed numbers."""
        return self.by_status[str(Status.ASSUMED)]

    def total_with(self, technology: Technology, memory: Technology | None) -> float:
        """fJ of an input with other numbers in the same places."""
        return sum(total.value(technology, memory) for total in self.sums.values())

    def to_json(self) -> dict[str, Any]:
        """All figures, units in their names."""
        return {
            "technology": self.technology.name,
            "memory": self.memory.name if self.memory else None,
            "encoding": str(self.structure.config.encoding),
            "native": self.structure.native,
            "clock_mhz": self.clock_mhz,
            "seconds": self.seconds,
            "energy_fj": self.total_fj,
            "energy_fj_per_mac": self.fj_per_mac,
            "peak_energy_fj_per_op": self.peak_fj_per_op,
            "power_mw": self.power_mw,
            "assumed_share": self.assumed_share,
            "share_by_status": self.by_status,
            "components_fj": dict(self.components),
            "layers": [
                {"name": one.name, "macs": one.macs, "energy_fj": one.total_fj, "components_fj": dict(one.components)}
                for one in self.layers
            ],
            "unknown": list(self.unknown),
            "notes": list(self.structure.notes),
        }


def energy(
    result: Result,
    technology: Technology,
    *,
    memory: Technology | None = None,
    clock_mhz: float | None = None,
    native: bool | None = None,
    toggles: Mapping[str, Switching] | None = None,
) -> Energy:
    """Energy of a simulated network.

    Parameters
    ----------
    result:
        A simulation with samples, so that there is activity.
    technology:
        Of kind logic (:func:`setun_sim.cost.fpga.fpga_energy` takes FPGAs).
    memory:
        The external memory; its traffic is left out, and named as unknown, without.
    clock_mhz:
        Clock, for static energy; default the technology's own.
    native:
        Ternary cells instead of binary gates on two rails; default where encoding and technology have them.
    toggles:
        Switching of the dot products by layer, counted on real operands; default: expected at the layer's density.

    Raises
    ------
    CostError
        When the simulation had no samples, or a technology is of the wrong kind.
    """
    config = result.program.config
    works = work_of(result)
    if technology.kind is not Kind.LOGIC:
        raise CostError(f"technology {technology.name} is of kind {technology.kind}: energy needs one of kind logic")
    if memory is not None and memory.kind is not Kind.MEMORY:
        raise CostError(f"technology {memory.name} is of kind {memory.kind}: external memory needs one of kind memory")
    if native is None:
        native = technology.ternary and config.encoding is Encoding.TERNARY
    if native and not technology.ternary:
        raise CostError(f"technology {technology.name} has no ternary cells")
    built = structure(config, native=native)
    return energy_of(
        built, works, technology, memory=memory, clock_mhz=clock_mhz, toggles=toggles, macs=result.macs,
        inputs=result.program.images,
    )  # fmt: skip


def energy_of(
    built: Structure,
    works: Sequence[Work],
    technology: Technology,
    *,
    memory: Technology | None = None,
    clock_mhz: float | None = None,
    toggles: Mapping[str, Switching] | None = None,
    macs: int = 0,
    inputs: int = 1,
) -> Energy:
    """Energy of any structure doing given work (of one run, which takes ``inputs`` inputs)."""
    clock = technology.value("clock.frequency") if clock_mhz is None else clock_mhz
    power = static_power(built, technology)
    sums: dict[str, Sum] = {}
    layers, unknown, best = [], dict[str, None](), float("inf")
    for work in works:
        ledger = Ledger(built, technology, memory)
        charge(ledger, work, power, clock, (toggles or {}).get(work.name))
        found = {name: total.scaled(1 / inputs) for name, total in ledger.sums.items()}
        unknown |= dict.fromkeys(ledger.unknown)
        for name, total in found.items():
            sums[name] = sums[name] + total if name in sums else total
        components = {name: found[name].value(technology, memory) for name in COMPONENTS if name in found}
        layers.append(LayerEnergy(name=work.name, macs=work.macs, components=components))
        if work.digit_macs:
            busy = Ledger(built, technology, memory)
            charge(busy, work.busy(), power, clock, (toggles or {}).get(work.name))
            total_fj = sum(total.value(technology, memory) for total in busy.sums.values())
            best = min(best, total_fj / (2 * work.digit_macs))
    return Energy(
        technology=technology, memory=memory, structure=built, clock_mhz=clock,
        seconds=sum(work.cycles for work in works) / (clock * 1e6) / inputs,
        layers=tuple(layers), sums=sums, peak_fj_per_op=best if best < float("inf") else 0.0, macs=macs,
        unknown=tuple(unknown),
    )  # fmt: skip
