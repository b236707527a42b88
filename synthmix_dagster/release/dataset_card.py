"""The dataset card of a release: what people read first, in Markdown.

Its YAML header is what `datasets.load_dataset` and the Hugging Face Hub read: which files hold the
rows, the types of their columns, and what kind of dataset it is. A license is not known here, so
none is stated. Paths are relative: a copy of the release loads as well.
"""

from typing import Any

import pyarrow as pa

from synthmix_dagster.display.templates import render
from synthmix_dagster.release.manifest import Manifest

#: File name of the card in a release.
CARD = "README.md"

#: Sizes that the Hub knows, each with the number of rows that is too many for it.
_SIZES = {
    "n<1K": 10**3,
    "1K<n<10K": 10**4,
    "10K<n<100K": 10**5,
    "100K<n<1M": 10**6,
    "1M<n<10M": 10**7,
    "10M<n<100M": 10**8,
    "100M<n<1B": 10**9,
    "1B<n<10B": 10**10,
}

#: Types that every version of the library has.
_KNOWN = (
    *(pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal128),
    *(pa.types.is_date, pa.types.is_time, pa.types.is_timestamp, pa.types.is_duration),
    *(pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary),
)
#: Names of Arrow types that the library spells otherwise.
_NAMES = {"halffloat": "float16", "float": "float32", "double": "float64", "date32[day]": "date32"}


def card(manifest: Manifest, schema: pa.Schema) -> str:
    """The dataset card, in Markdown.

    Parameters
    ----------
    manifest : Manifest
    schema : pyarrow.Schema
        Columns of the shards.
    """
    # Importing it takes a while.
    import yaml

    # Dumped, not written by hand: names of columns may hold anything.
    header = yaml.safe_dump(_header(manifest, schema), sort_keys=False, allow_unicode=True)
    text = render(
        "release/templates/card.md.jinja",
        manifest=manifest,
        composition=composition_sentence(manifest),
    )
    return f"---\n{header}---\n\n{text}"


def composition_sentence(manifest: Manifest) -> str:
    """What is synthetic, by which generator, in what proportion."""
    real, *generated = manifest.composition()
    rest = ", ".join(
        f"{part.rows} ({part.share:.2%}) are real rows of another domain, '{part.generator}'"
        if part.other_domain
        else f"{part.rows} ({part.share:.2%}) were made by the generator '{part.generator}'"
        for part in generated
    )
    unit = "by weight" if manifest.mix.weighted else "of all rows"
    return f"{real.rows} rows ({real.share:.2%} {unit}) are real, {rest}."


def _header(manifest: Manifest, schema: pa.Schema) -> dict[str, Any]:
    rows = manifest.realised.rows
    size = next((name for name, limit in _SIZES.items() if rows < limit), "10B<n<100B")
    files = [{"split": "train", "path": "data/*.parquet"}]
    header = {
        "tags": ["tabular", "synthetic", "synthmix-dagster"],
        "size_categories": [size],
        "configs": [{"config_name": "default", "data_files": files}],
    }
    features = [{"name": field.name, "dtype": _dtype(field.type)} for field in schema]
    # Stated for all columns or for none.
    if all(feature["dtype"] is not None for feature in features):
        header["dataset_info"] = {"features": features}
    return header


def _dtype(kind: pa.DataType) -> str | None:
    """Name of a type in Hugging Face's library; None where it reads the type from the files."""
    if pa.types.is_dictionary(kind):
        # Such columns are loaded as their values.
        return _dtype(kind.value_type)
    if not any(fits(kind) for fits in _KNOWN):
        return None
    name = str(kind)
    return _NAMES.get(name, name)
