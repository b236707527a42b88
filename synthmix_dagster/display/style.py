"""The house style: one palette and one quiet frame for every picture.

The colours are Okabe and Ito's, which colour-blind readers, print and a dark ground tell apart. No
picture says anything by colour alone: shapes, dashes and words say it too.

Figures are made without pyplot: steps run in threads and processes that have no screen, and
pyplot keeps global state.
"""

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Of every colour, the one that takes its place on a dark ground.
ON_DARK = {
    "#1a1a1a": "#ececec",
    "#5f6368": "#b0b4ba",
    "#dddddd": "#3c4046",
    "#ffffff": "#16181c",
    "#0072b2": "#56b4e9",
    "#d55e00": "#ff8f4a",
    "#009e73": "#35c99f",
}
INK, QUIET, LINE, PAPER, CURVE, CHOSEN, PRIOR = ON_DARK
_NAMES = dict(
    zip(ON_DARK, ("ink", "quiet", "line", "paper", "curve", "chosen", "prior"), strict=True)
)
#: Real and synthetic rows, in every picture.
REAL, SYNTHETIC = PRIOR, CHOSEN
#: Points of the words in a picture: its title, its labels, what is written beside marks.
TITLE, LABEL, REMARK = 11.0, 9.5, 8.5
#: Behind words that lie on lines.
HALO = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.0, "alpha": 0.85}

#: Inches across: of a picture on its own, and of one on a page that is read on phones as well.
WIDTH, PAGE_WIDTH = 7.6, 4.8
#: Letters of a title that an inch has room for, and inches that stand beside it.
_LETTERS_PER_INCH, _BESIDE_TITLE = 12.5, 1.0


def own_axes(height: float, width: float = WIDTH) -> "Axes":
    """Axes of a figure of their own, so many inches high and wide."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=110, layout="constrained", facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure.subplots()


def quiet_frame(axes: "Axes", values: str, *, title: str) -> None:
    """Take away what is not data: a grid along the axis of the values, and little else.

    Parameters
    ----------
    axes : matplotlib Axes
    values : {"x", "y"}
        Axis that is read off.
    title : str
        What the picture shows, as a sentence.
    """
    hidden = ["top", "right", *(["left"] if values == "x" else [])]
    axes.spines[hidden].set_visible(False)
    axes.spines[["bottom", *({"left"} - set(hidden))]].set_color(QUIET)
    axes.grid(axis="x" if values == "x" else "y", color=LINE, lw=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=QUIET, labelcolor=INK, labelsize=LABEL)
    if values == "x":
        axes.tick_params(axis="y", length=0)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(color=INK, fontsize=LABEL)
    letters = int((axes.figure.figure.get_figwidth() - _BESIDE_TITLE) * _LETTERS_PER_INCH)
    axes.set_title(
        textwrap.fill(title, max(letters, 20)), loc="left", fontsize=TITLE, color=INK, pad=10
    )


def legend_below(axes: "Axes") -> None:
    """What the marks mean, under the picture, where it hides nothing."""
    columns = 2 if axes.figure.figure.get_figwidth() >= WIDTH else 1
    axes.figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside lower left",
        ncols=columns,
        frameon=False,
        fontsize=REMARK,
        labelcolor=INK,
    )


def label_of(name: str, max_length: int = 28) -> str:
    r"""A name of the user as a label: short, on one line, and never a formula.

    Examples
    --------
    >>> label_of("price $" + 40 * "x")
    'price \\$xxxxxxxxxxxxxxxxxxxx…'
    """
    line = "".join(character if character.isprintable() else " " for character in name)
    short = line if len(line) <= max_length else line[: max_length - 1] + "…"
    return short.replace("$", r"\$")


def variable(colour: str) -> str:
    """Name of the CSS variable that a page keeps a colour of the palette in.

    Examples
    --------
    >>> variable(INK)
    '--ink'
    """
    return f"--{_NAMES[colour]}"
