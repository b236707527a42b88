"""The picture of a release: how much of it comes from where."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from synthmix_dagster.display.rendering import picture
from synthmix_dagster.display.style import (
    INK,
    PAPER,
    REAL,
    REMARK,
    SYNTHETIC,
    label_of,
    own_axes,
    quiet_frame,
)
from synthmix_dagster.release.manifest import composition

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from synthmix_dagster.release.handle import Release

#: Inputs drawn at most; the smallest generators are counted together.
MOST_PARTS = 12


def plot_composition(manifest: Mapping[str, Any], axes: "Axes | None" = None) -> "Axes":
    """Draw what share of the training data every input has.

    Parameters
    ----------
    manifest : mapping
        Manifest of a release.
    axes : matplotlib Axes, optional
        Where to draw; a figure of its own by default.

    Returns
    -------
    matplotlib Axes
    """
    parts = shown_parts(manifest)
    axes = own_axes(1.15 + 0.36 * len(parts)) if axes is None else axes
    places = range(len(parts))
    shares = [100 * part["share"] for part in parts]
    bars = axes.barh(places, shares, color=SYNTHETIC, height=0.62)
    bars[0].set(color=REAL)
    # Told apart in print and by those who see no colours.
    for bar in bars[1:]:
        bar.set(hatch="///", edgecolor=PAPER, lw=0)
    weighted = manifest["mix"]["mode"] == "weights"
    for place, part, share in zip(places, parts, shares, strict=True):
        axes.annotate(
            f"{part['rows']:,} rows, {share:.1f} %",
            (share, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=REMARK,
            color=INK,
        )
    axes.set_yticks(places, [label_of(part["name"]) for part in parts])
    axes.set_ylim(len(parts) - 0.5, -0.6)
    # Room for what is written behind the longest bar.
    axes.set_xlim(0, 1.3 * max(shares))
    axes.set_xlabel(f"share of all {'weight' if weighted else 'rows'} (%)")
    realised = manifest["realised"]
    quiet_frame(
        axes,
        "x",
        title=f"{realised['rows']:,} rows, ratio {realised['ratio']:.2f} "
        "synthetic rows per real row" + (", by weight" if weighted else ""),
    )
    return axes


def shown_parts(manifest: Mapping[str, Any], most: int = MOST_PARTS) -> list[dict[str, Any]]:
    """Rows and share of every input, the real rows first, small generators taken together."""
    real, *generators = composition(manifest)
    generators.sort(key=lambda part: -part["share"])
    kept = generators if len(generators) < most else generators[: most - 2]
    rest = generators[len(kept) :]
    parts = [{"name": part["generator"] or "real", **part} for part in (real, *kept)]
    if rest:
        together = {key: sum(part[key] for part in rest) for key in ("rows", "share")}
        parts.append({"name": f"{len(rest)} more generators", **together})
    return parts


def composition_markdown(release: "Release") -> str:
    """Return the composition of a release as Markdown with the picture inside it."""
    axes = plot_composition(release.manifest)
    return f"![Rows of a release by where they come from]({picture(axes)})"
