"""The picture of a release: how much of it comes from where."""

from typing import TYPE_CHECKING

from synthmix_dagster.display.rendering import picture
from synthmix_dagster.display.style import (
    INK,
    PAPER,
    REAL,
    REMARK,
    SYNTHETIC,
    WIDTH,
    label_of,
    own_axes,
    quiet_frame,
)
from synthmix_dagster.release.manifest import Manifest, Portion

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Inputs drawn at most; the smallest generators are counted together.
MAX_PORTIONS = 12


def plot_composition(
    manifest: Manifest, axes: "Axes | None" = None, *, width: float = WIDTH
) -> "Axes":
    """Draw what share of the training data every input has.

    Parameters
    ----------
    manifest : Manifest
    axes : matplotlib Axes, optional
        Where to draw; a figure of its own by default.
    width : float
        Inches across of a figure of its own.

    Returns
    -------
    matplotlib Axes
    """
    portions = shown_portions(manifest)
    axes = own_axes(1.15 + 0.36 * len(portions), width) if axes is None else axes
    places = range(len(portions))
    shares = [100 * portion.share for portion in portions]
    bars = axes.barh(places, shares, color=SYNTHETIC, height=0.62)
    bars[0].set(color=REAL)
    # Told apart in print and by those who see no colours.
    for bar in bars[1:]:
        bar.set(hatch="///", edgecolor=PAPER, lw=0)
    for place, portion, share in zip(places, portions, shares, strict=True):
        axes.annotate(
            f"{portion.rows:,} rows, {share:.1f} %",
            (share, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=REMARK,
            color=INK,
        )
    axes.set_yticks(places, [label_of(portion.name) for portion in portions])
    axes.set_ylim(len(portions) - 0.5, -0.6)
    # Room for what is written behind the longest bar.
    axes.set_xlim(0, (1.3 if width >= WIDTH else 1.5) * max(shares))
    # Shares end at 100, however much room there is behind them.
    axes.set_xticks([tick for tick in range(0, 101, 20) if tick <= axes.get_xlim()[1]])
    weighted, realised = manifest.mix.weighted, manifest.realised
    axes.set_xlabel(f"share of all {'weight' if weighted else 'rows'} (%)")
    quiet_frame(
        axes,
        "x",
        title=f"{realised.rows:,} rows; {realised.ratio:.2f} synthetic rows per real row"
        + (", by weight" if weighted else ""),
    )
    return axes


def shown_portions(manifest: Manifest, max_portions: int = MAX_PORTIONS) -> list[Portion]:
    """Rows and share of every input, the real rows first, small generators taken together.

    Parameters
    ----------
    manifest : Manifest
    max_portions : int
        Portions returned at most.
    """
    real, *generators = manifest.composition()
    generators.sort(key=lambda portion: -portion.share)
    kept = generators if len(generators) < max_portions else generators[: max_portions - 2]
    rest = generators[len(kept) :]
    portions = [real, *kept]
    if rest:
        rows, share = sum(p.rows for p in rest), sum(p.share for p in rest)
        portions.append(Portion(f"{len(rest)} more generators", rows, share))
    return portions


def composition_markdown(manifest: Manifest) -> str:
    """Return the composition of a release as Markdown with the picture inside it."""
    return f"![Rows of a release by source]({picture(plot_composition(manifest))})"
