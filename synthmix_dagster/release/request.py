"""What was requested of a mix, as its manifest records it, and what all its records are made of."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from synthmix_dagster.release.options import Mode

Text = Annotated[str, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=0)]
PositiveCount = Annotated[int, Field(strict=True, ge=1)]
Amount = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Sha256 = Annotated[str, Field(strict=True, pattern="^[0-9a-f]{64}$")]
ReleaseId = Annotated[str, Field(strict=True, pattern="^[0-9a-f]{16}$")]


class Record:
    """What all records have in common: a key that is not declared is an error."""

    __pydantic_config__ = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class StratumRequest(Record):
    """What was requested of one stratum of a generator."""

    ratio: Annotated[Amount, Field(description="Synthetic rows per real row of the stratum.")]
    rows: Annotated[Count, Field(description="Synthetic rows due, after any cap.")]


@dataclass(frozen=True)
class GeneratorRequest(Record):
    """What was requested of one generator."""

    ratio: Annotated[Amount, Field(description="Synthetic rows per real row.")]
    rows: Annotated[Count, Field(description="Synthetic rows due, after any cap.")]
    strata: Annotated[
        Mapping[str, StratumRequest] | None,
        Field(
            json_schema_extra=lambda schema: schema.pop("default"),
            description="By stratum, where each has a ratio of its own; else absent.",
        ),
    ] = None


@dataclass(frozen=True)
class Request(Record):
    """What was requested."""

    mode: Mode
    ratio: Annotated[
        Amount, Field(description="Synthetic rows per real row, of all generators together.")
    ]
    synthetic_rows: Annotated[
        Count,
        Field(description="Synthetic rows due, after any cap; with weights, their total weight."),
    ]
    generators: Annotated[Mapping[str, GeneratorRequest], Field(min_length=1)]
    seed: Annotated[int, Field(strict=True)]
    stratify: Text | None
    key: tuple[Text, ...]
    max_rows: PositiveCount | None
    provenance: Flag
    rows_per_shard: PositiveCount
    domains: Annotated[
        tuple[Text, ...] | None,
        Field(
            json_schema_extra=lambda schema: schema.pop("default"),
            description="Inputs whose rows are real rows of another domain; absent without any.",
        ),
    ] = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without what is absent."""
        values = asdict(self)
        if self.domains is None:
            del values["domains"]
        for name, request in self.generators.items():
            if request.strata is None:
                del values["generators"][name]["strata"]
        return values

    @property
    def weighted(self) -> bool:
        """Whether rows have weights."""
        return self.mode == "weights"
