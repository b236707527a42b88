"""The dataset card of a release: what people read first, in Markdown."""

from synthmix_dagster.release.manifest import Manifest

#: File name of the card in a release.
CARD = "README.md"


def card(manifest: Manifest) -> str:
    """The dataset card, in Markdown."""
    request, realised = manifest.mix, manifest.realised
    lines = [
        f"# Training data, release {manifest.release_id}",
        "",
        f"{realised.rows} rows of {len(manifest.columns)} columns in "
        f"{len(manifest.shards)} Parquet files, in seeded order. {composition_sentence(manifest)}",
        "",
        f"| source | generator | rows | share of the {'weight' if request.weighted else 'rows'} |",
        "|---|---|---|---|",
    ]
    for part in manifest.composition():
        generator = part.generator or ""
        lines.append(f"| {part.source} | {generator} | {part.rows} | {part.share:.2%} |")
    lines += [
        "",
        f"Ratio {request.ratio:g} was asked for (synthetic rows per real row), seed "
        f"{request.seed}, "
        + (f"stratified by `{request.stratify}`" if request.stratify else "not stratified")
        + ".",
        *(f"Note: {note}." for note in manifest.notes),
        "",
        "| column | type |",
        "|---|---|",
        *(f"| {_cell(c.name)} | {_cell(c.type)} |" for c in manifest.columns),
        "",
        "`manifest.json` says what this was made from and has the SHA-256 of every file; "
        "`synthmix_dagster.verify_release` checks them. `croissant.json` is Croissant metadata.",
    ]
    return "\n".join(lines) + "\n"


def composition_sentence(manifest: Manifest) -> str:
    """What is synthetic, by which generator, in what proportion."""
    real, *generated = manifest.composition()
    rest = ", ".join(
        f"{part.rows} ({part.share:.2%}) were made by the generator '{part.generator}'"
        for part in generated
    )
    unit = "by weight" if manifest.mix.weighted else "of all rows"
    return f"{real.rows} rows ({real.share:.2%} {unit}) are real, {rest}."


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
