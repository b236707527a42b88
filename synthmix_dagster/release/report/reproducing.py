"""The section of a report that says how to make the same release again, and how to check it."""

from collections.abc import Mapping
from typing import Any

from synthmix_dagster.display.markup import code, facts, paragraph, table
from synthmix_dagster.release.report.sections import MOST_ROWS, more


def reproduced(manifest: Mapping[str, Any]) -> list[str]:
    """The call that makes the same bytes, the versions, and how to check the files."""
    asked = manifest["mix"]
    given = {name: source["ratio"] for name, source in sorted(asked["generators"].items())}
    names = sorted(name for name in manifest["inputs"] if name != "real")
    one = names == ["synthetic"]
    lines = ["from synthmix_dagster import mix, open_dataset", ""]
    for name in ("real", *names):
        view = manifest["inputs"][name]["view"] or {}
        options = "".join(f", {key}={view[key]!r}" for key in sorted(view) if view[key])
        lines.append(f"{_variable(name)} = open_dataset('PATH OR FRAME', {name!r}{options})")
    generators = ", ".join(f"{name!r}: {_variable(name)}" for name in names)
    settings = {
        "ratio": given["synthetic"] if one else given,
        "mode": asked["mode"],
        "seed": asked["seed"],
        "stratify": asked["stratify"],
        "key": asked["key"] or None,
        "max_rows": asked["max_rows"],
        "shortage": "cap" if _short(manifest) else None,
        "provenance": asked["provenance"],
        "rows_per_shard": asked["rows_per_shard"],
    }
    lines += [
        "release = mix(",
        "    real,",
        f"    {'synthetic' if one else '{' + generators + '}'},",
        *(f"    {key}={value!r}," for key, value in settings.items() if value is not None),
        "    output='a directory',",
        ")",
        f"assert release.release_id == {manifest['release_id']!r}",
    ]
    shards = [(s["path"], s["rows"], s["bytes"], s["sha256"]) for s in manifest["shards"]]
    return [
        paragraph(
            "The same inputs (compare their fingerprints), settings and versions give the same "
            "release id and the same Parquet files, byte for byte. In Python:"
        ),
        code(lines),
        paragraph("To check the files of this release against its manifest, in a shell:"),
        code(["synthmix verify DIRECTORY"]),
        facts("Versions", sorted(manifest["libraries"].items())),
        table("Parquet files", ("file", "rows", "bytes", "SHA-256"), shards[:MOST_ROWS]),
        more(len(shards), "files"),
    ]


def _short(manifest: Mapping[str, Any]) -> bool:
    """Whether more synthetic rows were asked for than there were."""
    given, n = manifest["inputs"], manifest["inputs"]["real"]["rows"]
    asked = manifest["mix"]["generators"].items()
    return any(round(share["ratio"] * n) > given[name]["rows"] for name, share in asked)


def _variable(name: str) -> str:
    """A name of Python for a generator of any name."""
    return "".join(c if c.isalnum() else "_" for c in f"_{name}" if c).lstrip("_") or "rows"
