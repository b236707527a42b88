"""From a ratio to a release: exactly k synthetic rows, every real row once, in seeded order."""

import hashlib
import json
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from synthmix_dagster.errors import ConfigError, DataError, ReleaseError
from synthmix_dagster.tables.dataset import Dataset
from synthmix_dagster.tables.releases import (
    MANIFEST_VERSION,
    SOURCE_COLUMN,
    Release,
    count_sources,
    publish,
    write_shards,
)
from synthmix_dagster.tables.selection import (
    choose_exactly,
    in_priority_order,
    row_ids,
    shared_key,
    strata_of,
)

ROWS_PER_SHARD = 1_000_000


def mix_datasets(
    real: Dataset,
    synthetic: Dataset,
    *,
    ratio: float,
    output: Path,
    seed: int = 0,
    stratify: str | None = None,
    key: Sequence[str] = (),
    optional: Sequence[str] = (),
    rows_per_shard: int = ROWS_PER_SHARD,
    evidence: Mapping[str, Any] | None = None,
) -> Release:
    """Publish all real rows and exactly ``round(ratio * n)`` synthetic ones as a release.

    Parameters
    ----------
    real, synthetic : Dataset
    ratio : float
        Synthetic rows per real row.
    output : Path
        Directory that holds ``releases`` and ``latest``.
    seed : int
        Seed of the selection and of the order of rows.
    stratify : str, optional
        Column whose shares among the synthetic rows the selection keeps.
    key : sequence of str
        Columns that identify a row.
    optional : sequence of str
        Real columns that the synthetic rows may lack; they are empty there.
    rows_per_shard : int
    evidence : mapping, optional
        JSON-serialisable records to keep in the manifest: distance, recommendation, checks.

    Returns
    -------
    Release

    Raises
    ------
    ConfigError
        The ratio is negative or asks for more synthetic rows than there are.
    DataError
        The synthetic rows do not fit the schema of the real ones.
    ReleaseError
        The release cannot be written.
    """
    if rows_per_shard < 1:
        raise ConfigError(
            f"it is {rows_per_shard}", option="rows_per_shard", fix="Set it to 1 or more"
        )
    ratio, seed = _number(ratio, float, "ratio"), _number(seed, int, "seed")
    k = requested_rows(ratio, real.rows, synthetic.rows)
    if SOURCE_COLUMN in real.columns:
        raise DataError(
            "this name is taken by the provenance column that a release adds",
            dataset="real",
            column=SOURCE_COLUMN,
            fix="Rename the column",
        )
    rows = _shuffled_mix(real, synthetic, align(synthetic, real, optional), k, seed, stratify, key)
    request = {
        "mix": {
            "ratio": ratio,
            "synthetic_rows": k,
            "seed": seed,
            "stratify": stratify,
            "key": list(key),
            "rows_per_shard": rows_per_shard,
        },
        "inputs": {"real": _input(real), "synthetic": _input(synthetic)},
        "evidence": dict(evidence or {}),
    }
    # Evidence stays out of the id: its last digits vary with the number of threads.
    release_id = _release_id({name: request[name] for name in ("mix", "inputs")})

    def write(folder: Path) -> Mapping[str, Any]:
        shards = write_shards(rows, folder, rows_per_shard)
        counted = {"real": 0, "synthetic": 0, **count_sources(folder)}
        if counted != {"real": real.rows, "synthetic": k}:
            raise ReleaseError(
                f"{counted} rows were written where {real.rows} real and {k} synthetic were due",
                path=output,
                fix="Report this as a bug of synthmix-dagster; nothing was published",
            )
        return {
            "manifest_version": MANIFEST_VERSION,
            "release_id": release_id,
            **request,
            "realised": {
                "real_rows": counted["real"],
                "synthetic_rows": counted["synthetic"],
                "ratio": counted["synthetic"] / real.rows,
                "strata": _strata_counts(rows, stratify),
            },
            "columns": [{"name": field.name, "type": str(field.type)} for field in rows.schema],
            "shards": shards,
            "libraries": {name: version(name) for name in ("synthmix-dagster", "pyarrow", "numpy")},
        }

    return publish(output, release_id, write)


def requested_rows(ratio: float, n: int, available: int) -> int:
    """Number of synthetic rows that a ratio asks for, halves rounded to even.

    Examples
    --------
    >>> requested_rows(0.5, 11, 100)
    6
    """
    if not (np.isfinite(ratio) and ratio >= 0):
        raise ConfigError(f"it is {ratio}", option="ratio", fix="Set it to 0 or more")
    k = round(ratio * n)
    if k > available:
        raise ConfigError(
            f"{ratio:g} asks for {k} synthetic rows but there are {available}",
            option="ratio",
            fix=f"Set it to at most {math.floor(1e4 * available / n) / 1e4}, or generate more rows",
        )
    return k


def align(synthetic: Dataset, real: Dataset, optional: Sequence[str] = ()) -> pa.Table:
    """Give the synthetic rows the columns, order and types of the real ones.

    Only casts that lose nothing are made. Columns in `optional` may be missing; further columns of
    the synthetic rows are left out.
    """
    columns = []
    shared = [name for name in real.columns if name in synthetic.columns]
    given = synthetic.select(shared).table
    for field in real.schema:
        if field.name in shared:
            columns.append(_cast(given.column(field.name), field, synthetic.name))
        elif field.name in optional:
            columns.append(pa.nulls(synthetic.rows, field.type))
        else:
            raise DataError(
                "the synthetic rows lack this column of the real ones",
                dataset=synthetic.name,
                column=field.name,
                fix="Generate it, or add it to 'ignore' to leave it empty in synthetic rows",
            )
    return pa.table(columns, schema=_plain(real.schema))


def _shuffled_mix(
    real: Dataset,
    synthetic: Dataset,
    aligned: pa.Table,
    k: int,
    seed: int,
    stratify: str | None,
    key: Sequence[str],
) -> pa.Table:
    """All real rows and k of the aligned synthetic ones, labelled, in seeded order."""
    ids = row_ids(synthetic, shared_key(synthetic, key))
    strata = None
    if stratify is not None:
        strata_of(real, stratify)
        strata = strata_of(synthetic, stratify)
    chosen = np.sort(choose_exactly(ids, k, seed, strata))
    rows = pa.concat_tables(
        [_labelled(real.table, "real"), _labelled(aligned.take(pa.array(chosen)), "synthetic")]
    )
    # Identities of the two sides may coincide (row 0 of either file); the last bit tells them
    # apart, so that the order of rows is a fair shuffle of both.
    sides = np.concatenate((row_ids(real, key) * 2, ids[chosen] * 2 + 1))
    return rows.take(pa.array(in_priority_order(sides, seed)))


def _cast(values: pa.ChunkedArray, field: pa.Field, dataset: str) -> pa.ChunkedArray:
    """Cast, cast back, and compare: Arrow's own safe cast rounds floats and drops times of day."""
    if values.type == field.type:
        return values
    if pa.types.is_null(field.type):
        raise DataError(
            f"it holds no value, so that its type is unknown, but is {values.type} in {dataset}",
            dataset="real",
            column=field.name,
            fix="Give it a type where it is written, or drop it on both sides",
        )
    if pa.types.is_null(values.type):
        return pa.chunked_array([pa.nulls(len(values), field.type)], type=field.type)
    problem = ""
    try:
        cast = values.cast(field.type, safe=True)
        plain = values.cast(_unpacked(values.type))
        if _same(cast.cast(_unpacked(field.type)).cast(plain.type), plain):
            return cast
    except (ValueError, TypeError, pa.ArrowException) as error:
        problem = f" ({error})"
    raise DataError(
        f"its type {values.type} does not fit the real {field.type} without loss{problem}",
        dataset=dataset,
        column=field.name,
        fix="Round or convert it in the generator",
    )


def _same(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    """Equality for which NaN is NaN, as Arrow's is not."""
    if not pa.types.is_floating(one.type):
        return bool(one.equals(other))
    valid = one.is_valid().equals(other.is_valid())
    return valid and np.array_equal(one.to_numpy(), other.to_numpy(), equal_nan=True)


def _unpacked(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _number(value: Any, kind: Callable[..., Any], option: str) -> Any:
    """A plain Python number, whatever numeric type it came as."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ConfigError(f"it is {value!r}", option=option, fix="Set it to a number")
    plain = float(value)
    number = kind(value) if math.isfinite(plain) else plain
    if number != value and not math.isnan(plain):
        raise ConfigError(f"it is {value!r}", option=option, fix="Set it to a whole number")
    return number


def _plain(schema: pa.Schema) -> pa.Schema:
    """The schema without metadata (pandas puts library versions there) and nullable throughout."""
    return pa.schema([pa.field(field.name, field.type) for field in schema])


def _labelled(table: pa.Table, source: str) -> pa.Table:
    plain = table.cast(_plain(table.schema)).replace_schema_metadata(None)
    return plain.append_column(SOURCE_COLUMN, pa.array([source] * table.num_rows, pa.string()))


def _input(dataset: Dataset) -> dict[str, Any]:
    return {
        "rows": dataset.rows,
        "fingerprint": dataset.fingerprint,
        "files": [{"name": file.name, "rows": file.rows} for file in dataset.files],
    }


def _strata_counts(table: pa.Table, stratify: str | None) -> dict[str, dict[str, int]]:
    if stratify is None:
        return {}
    counts: dict[str, dict[str, int]] = {}
    labels = Dataset("mix", table.select([stratify]), "")
    sources = table.column(SOURCE_COLUMN).to_pylist()
    for stratum, source in zip(strata_of(labels, stratify), sources, strict=True):
        by_source = counts.setdefault(stratum, {"real": 0, "synthetic": 0})
        by_source[source] += 1
    return counts


def _release_id(request: Mapping[str, Any]) -> str:
    canonical = json.dumps(
        {**request, "version": MANIFEST_VERSION}, sort_keys=True, separators=(",", ":")
    )
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
