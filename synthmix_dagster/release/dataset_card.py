"""The dataset card of a release: what people read first, in Markdown."""

from synthmix_dagster.display.templates import render
from synthmix_dagster.release.manifest import Manifest

#: File name of the card in a release.
CARD = "README.md"


def card(manifest: Manifest) -> str:
    """The dataset card, in Markdown."""
    return render(
        "release/templates/card.md.jinja",
        manifest=manifest,
        composition=composition_sentence(manifest),
    )


def composition_sentence(manifest: Manifest) -> str:
    """What is synthetic, by which generator, in what proportion."""
    real, *generated = manifest.composition()
    rest = ", ".join(
        f"{part.rows} ({part.share:.2%}) were made by the generator '{part.generator}'"
        for part in generated
    )
    unit = "by weight" if manifest.mix.weighted else "of all rows"
    return f"{real.rows} rows ({real.share:.2%} {unit}) are real, {rest}."
