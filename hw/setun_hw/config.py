"""The generator's parameters: one frozen record that compiler, simulator and hardware share."""

import dataclasses
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from setun_hw.errors import ConfigError


class Encoding(StrEnum):
    """How a digit is held on two bits and which arithmetic adds digits up (DESIGN 3.1)."""

    TERNARY = "ternary"  #: balanced trits on two rails, balanced-ternary adders and accumulator
    RAILS = "rails"  #: balanced trits on two rails, popcount and two's complement accumulator
    BINARY2 = "binary2"  #: two's complement digits -2..1 of radix 4, two's complement throughout

    @property
    def radix(self) -> int:
        """Weight ratio of neighbouring digits."""
        return 4 if self is Encoding.BINARY2 else 3

    @property
    def lowest(self) -> int:
        """Smallest digit."""
        return -2 if self is Encoding.BINARY2 else -1

    @property
    def highest(self) -> int:
        """Largest digit."""
        return 1

    def digit_range(self, digits: int) -> tuple[int, int]:
        """Smallest and largest integer that ``digits`` digits hold."""
        ones = (self.radix**digits - 1) // (self.radix - 1)
        return self.lowest * ones, self.highest * ones


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that shapes one accelerator.

    Raises
    ------
    ConfigError
        On construction, naming the field, what was expected and the value.
    """

    #: name shown in reports and written into programs
    name: str
    #: digit encoding of the whole datapath
    encoding: Encoding = Encoding.TERNARY
    #: M, output channels computed at once
    rows: int = 16
    #: N, input channels multiplied at once; one activation word is N digits
    lanes: int = 16
    #: P, image-row strips computed at once, one activation bank each
    strips: int = 4
    #: W, channels each strip post-processes per cycle; divides rows and lanes
    post: int = 4
    #: T, thresholds per channel
    thresholds: int = 4
    #: most digits of a code that the threshold step can emit
    code_digits: int = 2
    #: bits of a two's complement accumulator; trit accumulators are sized to hold the same range
    accumulator_bits: int = 20
    #: depth of each activation bank, in words of N digits
    activation_words: int = 4096
    #: depth of the weight memory, in words of M*N digits
    weight_words: int = 1024
    #: depth of the parameter memory, in words of W channels
    parameter_words: int = 256
    #: data bits of the AXI4 master
    axi_data_bits: int = 64
    #: address bits of the AXI4 master
    axi_address_bits: int = 32
    #: compute descriptors that wait decoded in front of the array
    queue_depth: int = 4
    #: register stages inside the adder trees
    tree_registers: int = 1
    #: weights outside the chip: 5 trits in 8 bits instead of 2 bits a trit
    packed_weights: bool = False
    #: descriptors whose performance counters are kept on chip
    counter_records: int = 256
    #: fixed-point post-processing of real-valued tensors, and a residual memory for each strip
    affine: bool = False
    #: a second accumulator for sums with |w| (needs ``affine``)
    two_scale: bool = False
    #: bits of the signed coefficients of ``affine``
    coefficient_bits: int = 16
    #: bits of a two's complement element of a residual memory
    residual_bits: int = 12
    #: depth of each residual memory, in words of W elements; 0 without ``affine``
    residual_words: int = 0

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "encoding", Encoding(self.encoding))
        except ValueError:
            raise ConfigError(f"encoding must be ternary, rails or binary2, not {self.encoding!r}") from None
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type is int and (type(value) is not int or value < 0):
                raise ConfigError(f"{field.name} must be a non-negative integer, not {value!r}")
            if field.type is bool and type(value) is not bool:
                raise ConfigError(f"{field.name} must be true or false, not {value!r}")
        if type(self.name) is not str or not self.name:
            raise ConfigError(f"name must be a non-empty string, not {self.name!r}")
        limits = {
            "rows": (1, 1024), "lanes": (1, 1024), "strips": (1, 64), "post": (1, 1024),
            "thresholds": (2, 64), "code_digits": (1, 8), "accumulator_bits": (6, 32),
            "activation_words": (2, 1 << 24), "weight_words": (2, 1 << 24), "parameter_words": (2, 1 << 24),
            "axi_address_bits": (16, 64), "queue_depth": (1, 64), "tree_registers": (0, 8),
            "counter_records": (1, 4096), "coefficient_bits": (2, 24), "residual_bits": (2, 16),
            "residual_words": (2, 1 << 24) if self.affine else (0, 0),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"{name} must be between {low} and {high}, not {getattr(self, name)}")
        if self.axi_data_bits not in (32, 64, 128, 256, 512, 1024):
            raise ConfigError(f"axi_data_bits must be 32, 64, 128, 256, 512 or 1024, not {self.axi_data_bits}")
        if self.rows % self.post or self.lanes % self.post:
            raise ConfigError(
                f"post must divide rows and lanes, but {self.post} does not divide {self.rows} and {self.lanes}"
            )
        if self.two_scale and not self.affine:
            raise ConfigError("two_scale needs affine")
        if self.affine and self.residual_bits >= self.accumulator_bits:  # a threshold on a result takes a bit more
            limit = f"accumulator_bits, {self.accumulator_bits}"
            raise ConfigError(f"residual_bits must be less than {limit}, not {self.residual_bits}")
        if self.packed_weights and self.encoding is Encoding.BINARY2:
            raise ConfigError("packed_weights needs balanced trits, so encoding ternary or rails, not binary2")

    # -- widths -------------------------------------------------------------------------------
    @property
    def accumulator_limit(self) -> int:
        """Largest sum, of either sign, a program may reach. One less than the largest threshold,
        so that every sum has a threshold above it ("never")."""
        return (1 << (self.accumulator_bits - 1)) - 2

    @property
    def accumulator_trits(self) -> int:
        """Trits of the ``ternary`` accumulator: the fewest that hold every threshold."""
        trits = 1
        while (3**trits - 1) // 2 < self.accumulator_limit + 1:
            trits += 1
        return trits

    @property
    def accumulator_width(self) -> int:
        """Bits on which an accumulator, and a threshold, is held."""
        return 2 * self.accumulator_trits if self.encoding is Encoding.TERNARY else self.accumulator_bits

    @property
    def raw_digits(self) -> int:
        """Two-bit planes an accumulator fills when it leaves raw: trits, or bit pairs of the
        sign-extended two's complement number; most significant first."""
        return (self.accumulator_width + 1) // 2

    @property
    def value_digits(self) -> int:
        """Digits that every number of ``residual_bits`` bits fits."""
        digits = 1
        while self.encoding.digit_range(digits)[1] < (1 << self.residual_bits - 1):
            digits += 1
        return digits

    # -- memories -----------------------------------------------------------------------------
    @property
    def word_bits(self) -> int:
        """Bits of an activation word."""
        return 2 * self.lanes

    @property
    def weight_word_bits(self) -> int:
        """Bits of a weight word."""
        return 2 * self.rows * self.lanes

    @property
    def channel_parameter_bits(self) -> int:
        """Bits of one channel's parameters: T thresholds, T+1 codes, then ``affine_parameters``."""
        codes = (self.thresholds + 1) * 2 * self.code_digits
        return self.thresholds * self.accumulator_width + codes + sum(self.affine_parameters.values())

    @property
    def affine_parameters(self) -> dict[str, int]:
        """Names and bits of a channel's fixed-point parameters, lowest first, each two's complement; none without
        ``affine``."""
        if not self.affine:
            return {}
        coefficients = ["m", "m2", "r", "m0", "m1"] if self.two_scale else ["m", "r", "m0", "m1"]
        offsets = dict.fromkeys(("b", "b0", "b1"), self.accumulator_bits + self.coefficient_bits)
        return {**dict.fromkeys(coefficients, self.coefficient_bits), **offsets, "pivot": self.accumulator_bits}

    @property
    def residual_word_bits(self) -> int:
        """Bits of a residual word: W elements, channel 0 lowest."""
        return self.post * self.residual_bits

    @property
    def parameter_word_bits(self) -> int:
        """Bits of a parameter word (W channels)."""
        return self.post * self.channel_parameter_bits

    @property
    def multipliers(self) -> int:
        """Ternary multipliers in the array, M*N*P."""
        return self.rows * self.lanes * self.strips

    @property
    def chunks(self) -> int:
        """Parameter words, and drain cycles per output digit, of a full channel group: M/W."""
        return self.rows // self.post

    def replace(self, **changes: Any) -> "Config":
        """A copy with some fields changed, validated again."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain fields, for JSON and TOML."""
        return {**dataclasses.asdict(self), "encoding": str(self.encoding)}

    @classmethod
    def from_dict(cls, fields: dict[str, Any], source: str = "configuration") -> "Config":
        """Build from plain fields.

        Raises
        ------
        ConfigError
            On unknown or impossible fields, naming ``source``.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        for key in fields:
            if key not in known:
                raise ConfigError(f"{source}: unknown field {key!r}")
        if "name" not in fields:
            raise ConfigError(f"{source}: field 'name' is missing")
        try:
            return cls(**fields)
        except ConfigError as error:
            raise ConfigError(f"{source}: {error}") from None

    @classmethod
    def load(cls, path: str | Path) -> "Config":
        """Read a TOML file of fields; ``name`` defaults to the file's stem.

        Raises
        ------
        ConfigError
            When the file cannot be read or holds something else.
        """
        path = Path(path)
        try:
            fields = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read as TOML ({error})") from None
        return cls.from_dict({"name": path.stem, **fields}, source=str(path))
