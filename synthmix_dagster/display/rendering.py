"""A picture as a file, as an address that carries its own data, and as a part of a page."""

import base64
import io
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from synthmix_dagster.display.style import ON_DARK, variable
from synthmix_dagster.display.templates import part

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: matplotlib's settings, and what is done with warnings, are those of all threads.
_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Draw with matplotlib's own settings, whatever a notebook or a matplotlibrc has changed."""
    import matplotlib as mpl

    with _ONE_AT_A_TIME, mpl.rc_context():
        mpl.rcdefaults()
        yield


def png(axes: "Axes") -> bytes:
    """Return the figure of `axes` as the bytes of a PNG file."""
    return _saved(axes, format="png")


def picture(axes: "Axes") -> str:
    """Return the figure of `axes` as the address of a PNG that carries its own data."""
    return "data:image/png;base64," + base64.b64encode(png(axes)).decode("ascii")


def inline_svg(axes: "Axes", name: str, title: str, description: str) -> Markup:
    """Return the figure of `axes` as an SVG element that takes its colours from the page around it.

    The same figure gives the same text: there is no date in it and no random name.

    Parameters
    ----------
    axes : matplotlib Axes
    name : str
        What it is called on its page, which no other picture there is.
    title, description : str
        Text alternative, for readers who do not see it.
    """
    nothing = {"Date": None, "Creator": None}
    drawn = _saved(axes, salt=name, format="svg", metadata=nothing).decode("utf-8")
    drawn = drawn[drawn.index("<svg") :]
    _, view, rest = re.split(r'(viewBox="[^"]*")', drawn, maxsplit=1)
    body = rest[rest.index(">") + 1 :]
    # The page has a rule for lines of its own; this one would hold for everything on it.
    body = re.sub(r"<(metadata|style)\b.*?</\1>\s*|<defs>\s*</defs>\s*", "", body, flags=re.DOTALL)
    # Nothing refers to groups, and every figure calls its own by the same names.
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    for colour in ON_DARK:
        body = body.replace(colour, f"var({variable(colour)})")
    # matplotlib has escaped the words in it.
    drawing = {"view": Markup(view), "body": Markup(body.strip())}  # noqa: S704
    return part(
        "display/templates/picture.html.jinja",
        name=name,
        title=title,
        description=description,
        **drawing,
    )


def _saved(axes: "Axes", *, salt: str | None = None, **options: Any) -> bytes:
    import matplotlib as mpl

    # The figure of a subfigure is the whole one; `get_figure(root=True)` is newer than 3.8.
    figure, buffer = axes.figure.figure, io.BytesIO()
    # Names of clips and markers are hashes with this salt, so pictures of one page share none.
    settings = mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt})
    with _ONE_AT_A_TIME, settings, warnings.catch_warnings():
        # Names in scripts that the font lacks are boxes in a PNG and right in an SVG.
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        figure.savefig(buffer, **options)
    return buffer.getvalue()
