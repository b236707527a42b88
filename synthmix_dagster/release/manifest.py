"""The manifest of a release: one typed model, of which the JSON Schema is generated.

`manifest.json` holds these records as JSON objects. Whatever reads a manifest inside the package
reads a `Manifest`; a file of another shape is refused here, with the place that is wrong.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from inspect import getdoc
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from synthmix_dagster.release.request import (
    Amount,
    Count,
    PositiveCount,
    Record,
    ReleaseId,
    Request,
    Sha256,
    Text,
)
from synthmix_dagster.release.sources import REAL, Source

#: Version of the manifest that is written, and the one that can be read.
MANIFEST_VERSION: Literal[2] = 2
#: In the place of the previous release, in manifests written before it was recorded.
NOT_RECORDED = ""

_SHARD_PATH = r"^data/([0-9a-f]{8}/)?part-[0-9]{5,}\.parquet$"
#: Problems that a message names; a damaged manifest has one or hundreds.
_MAX_PROBLEMS = 3


def _shard_path(path: str) -> str:
    if not re.fullmatch(_SHARD_PATH, path):
        raise ValueError(f"'{path}' lies outside data/ or is not a name of a shard")
    return path


ShardPath = Annotated[
    str, Field(strict=True, json_schema_extra={"pattern": _SHARD_PATH}), AfterValidator(_shard_path)
]


@dataclass(frozen=True)
class KeyIdentity(Record):
    """Rows are identified by key columns."""

    by: Literal["key"]
    columns: Annotated[tuple[Text, ...], Field(min_length=1)]


@dataclass(frozen=True)
class RowIdentity(Record):
    """Rows are identified by their content, or by their place in the files."""

    by: Literal["content", "file and row number"]

    @property
    def columns(self) -> tuple[str, ...]:
        """No key columns."""
        return ()


@dataclass(frozen=True)
class InputView(Record):
    """Filters, columns and new names under which files were read."""

    columns: tuple[Text, ...] | None
    rename: Mapping[str, Text]
    filters: tuple[tuple[tuple[Any, Any, Any], ...], ...]


@dataclass(frozen=True)
class InputFile(Record):
    """One file of an input."""

    name: Text
    rows: Count
    sha256: Sha256


@dataclass(frozen=True)
class Input(Record):
    """One dataset that the release was made from."""

    rows: PositiveCount
    fingerprint: Sha256
    identity: Annotated[
        KeyIdentity | RowIdentity,
        Field(discriminator="by", description="What identifies a row."),
    ]
    view: InputView | None
    files: tuple[InputFile, ...]
    reading: Annotated[
        Mapping[str, Any] | None,
        Field(
            json_schema_extra=lambda schema: schema.pop("default"),
            description="Options it was read with, and the version or snapshot of a table; absent "
            "if there were none.",
        ),
    ] = None
    origin: Annotated[
        Mapping[str, Any] | None,
        Field(
            json_schema_extra=lambda schema: schema.pop("default"),
            description="Connection and query of rows from a warehouse; no part of the id.",
        ),
    ] = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without what is absent."""
        absent = [name for name in ("reading", "origin") if getattr(self, name) is None]
        return {name: value for name, value in asdict(self).items() if name not in absent}


@dataclass(frozen=True)
class Realised(Record):
    """What the shards hold, recounted from them."""

    rows: PositiveCount
    real_rows: PositiveCount
    synthetic_rows: Count
    ratio: Amount
    generators: Annotated[Mapping[str, Count], Field(min_length=1)]
    weights: Annotated[
        Mapping[str, Amount],
        Field(description="Weight of a row by its input; empty where rows have no weights."),
    ]
    strata: Annotated[
        Mapping[
            str, Annotated[Mapping[str, Count], Field(json_schema_extra={"required": ["rows"]})]
        ],
        Field(description="Rows by stratum: all of them, and by input."),
    ]
    nulls: Annotated[Mapping[str, Count], Field(description="Missing values by column.")]
    duplicates: Literal[0]

    def __post_init__(self) -> None:
        for name, counts in self.strata.items():
            if "rows" not in counts:
                raise ValueError(f"stratum '{name}' has no 'rows'")


@dataclass(frozen=True)
class Column(Record):
    """One column of the shards."""

    name: Text
    type: Annotated[Text, Field(description="Arrow type.")]


@dataclass(frozen=True)
class Shard(Record):
    """One Parquet file."""

    path: ShardPath
    rows: PositiveCount
    bytes: PositiveCount
    sha256: Sha256


@dataclass(frozen=True)
class Document(Record):
    """One file for people or machines beside the shards."""

    path: Text
    bytes: PositiveCount
    sha256: Sha256


@dataclass(frozen=True)
class Portion:
    """One input of a release and its part of the training data.

    Attributes
    ----------
    generator : str, optional
        None for the real rows.
    rows : int
    share : float
        Of all rows; with weights, of all weight.
    other_domain : bool
        Whether these are real rows of another domain.
    """

    generator: str | None
    rows: int
    share: float
    other_domain: bool = False

    @property
    def name(self) -> str:
        """``real``, or the name of the generator."""
        return self.generator or REAL

    @property
    def source(self) -> Source:
        """Whether its rows are real, synthetic, or real ones of another domain."""
        if self.generator is None:
            return "real"
        return "other" if self.other_domain else "synthetic"


@dataclass(frozen=True)
class Manifest(Record):
    """Manifest of a synthmix-dagster release, version 2."""

    manifest_version: Literal[2]
    release_id: Annotated[
        ReleaseId,
        Field(description="Hash of inputs and settings; also the name of the directory."),
    ]
    mix: Request
    inputs: Annotated[
        Mapping[str, Input],
        Field(
            min_length=2,
            json_schema_extra={"required": [REAL]},
            description="What it was made from, by name: real, and the generators.",
        ),
    ]
    notes: Annotated[
        tuple[Text, ...],
        Field(description="What was done differently from the request, such as a cap."),
    ]
    evidence: Annotated[
        Mapping[str, Any],
        Field(description="Distance, recommendation and checks that led to the release."),
    ]
    realised: Realised
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    shards: Annotated[tuple[Shard, ...], Field(min_length=1)]
    documents: tuple[Document, ...]
    libraries: Mapping[str, Text]
    previous: Annotated[
        ReleaseId | None,
        Field(
            json_schema_extra=lambda schema: schema.pop("default"),
            description="Release that latest named when this one was published; null if there was "
            "none, absent if it was not recorded.",
        ),
    ] = NOT_RECORDED
    table: Annotated[
        Mapping[str, Text] | None,
        Field(
            json_schema_extra=lambda schema: schema.pop("default"),
            description="Table, connection and mode where it is published as a table as well; "
            "absent otherwise. No part of the id.",
        ),
    ] = None
    digest: Annotated[
        Sha256 | None,
        Field(
            json_schema_extra=lambda schema: schema.pop("default"),
            description="SHA-256 of this manifest without this entry; absent in manifests of "
            "earlier versions.",
        ),
    ] = None

    def __post_init__(self) -> None:
        if REAL not in self.inputs:
            raise ValueError(f"'inputs' has no '{REAL}'")
        for place, names in {
            "mix.generators": self.mix.generators,
            "realised.generators": self.realised.generators,
        }.items():
            if sorted(names) != self.generators:
                raise ValueError(f"'{place}' names other generators than 'inputs'")

    @classmethod
    def from_dict(cls, values: Any) -> "Manifest":
        """Check what a manifest file holds, and return it typed.

        Parameters
        ----------
        values : mapping
            As `json.loads` returns it.

        Raises
        ------
        ValueError
            It has another shape; the message names the places that are wrong.

        Examples
        --------
        >>> Manifest.from_dict({"manifest_version": 1})
        Traceback (most recent call last):
        ...
        ValueError: its version is 1, but this version of synthmix-dagster reads 2
        """
        version = values.get("manifest_version") if isinstance(values, Mapping) else None
        if isinstance(version, int) and version != MANIFEST_VERSION:
            raise ValueError(
                f"its version is {version}, but this version of synthmix-dagster reads "
                f"{MANIFEST_VERSION}"
            )
        try:
            return _adapter().validate_python(values)
        except ValidationError as error:
            raise ValueError(_problems(error)) from None

    def to_dict(self) -> dict[str, Any]:
        """Return what the file holds: plain JSON-serialisable values, keys in order."""
        inputs = {name: given.to_dict() for name, given in self.inputs.items()}
        values: dict[str, Any] = json.loads(
            json.dumps(
                {**asdict(self), "inputs": inputs, "mix": self.mix.to_dict()}, sort_keys=True
            )
        )
        if self.previous == NOT_RECORDED:
            del values["previous"]
        for name in ("digest", "table"):
            if values[name] is None:
                del values[name]
        return values

    @property
    def real(self) -> Input:
        """The real rows that it was made from."""
        return self.inputs[REAL]

    @property
    def generators(self) -> list[str]:
        """Names of the generators, in the order in which their rows were mixed."""
        return sorted(name for name in self.inputs if name != REAL)

    @property
    def files(self) -> tuple[Shard | Document, ...]:
        """Every file of the release but the manifest itself."""
        return (*self.shards, *self.documents)

    def composition(self) -> list[Portion]:
        """Rows of every input, the real ones first, and its share of what a model is trained on.

        With weights that is its share of all weight, and not of all rows.
        """
        due = {name: request.rows for name, request in self.mix.generators.items()}
        total = self.real.rows + sum(due.values())
        return [
            Portion(None, self.real.rows, self.real.rows / total),
            *(
                Portion(name, rows, due[name] / total, name in (self.mix.domains or ()))
                for name, rows in self.realised.generators.items()
            ),
        ]


def manifest_schema() -> dict[str, Any]:
    """The JSON Schema of a manifest, as it is shipped."""
    text = files("synthmix_dagster.release").joinpath("manifest.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def generated_schema() -> str:
    """The text of ``manifest.schema.json``, generated from the model.

    ``python -m synthmix_dagster.release.manifest > synthmix_dagster/release/manifest.schema.json``
    writes it anew.
    """
    schema = _adapter().json_schema(schema_generator=_Schema)
    dialect = {"$schema": GenerateJsonSchema.schema_dialect}
    return json.dumps({**dialect, **schema}, indent=2) + "\n"


class _Schema(GenerateJsonSchema):
    """Records are described by their docstrings, and fields have no titles that repeat a name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def dataclass_schema(self, schema: Any) -> dict[str, Any]:
        # Not every version of pydantic takes the docstring itself.
        return {**super().dataclass_schema(schema), "description": getdoc(schema["cls"])}


@cache
def _adapter() -> TypeAdapter[Manifest]:
    # Built when first needed: it takes longer than importing this module.
    return TypeAdapter(Manifest)


def _problems(error: ValidationError) -> str:
    """The first places that are wrong, and how many more there are."""
    problems = error.errors(include_url=False, include_input=False)
    messages = [
        f"{'.'.join(map(str, problem['loc'])) or 'manifest'}: "
        + problem["msg"].removeprefix("Value error, ")
        for problem in problems[:_MAX_PROBLEMS]
    ]
    left = len(problems) - len(messages)
    return "; ".join(messages) + (f"; and {left} more" if left else "")


if __name__ == "__main__":
    print(generated_schema(), end="")
