"""Pictures of a report: one that cannot be drawn must not cost the release."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from synthmix_dagster.display.rendering import inline_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Picture:
    """A picture on a page, or why there is none.

    Attributes
    ----------
    title : str
    svg : Markup, optional
        The SVG element; None where it could not be drawn.
    problem : str
        Kind of the error that prevented it.
    """

    title: str
    svg: Markup | None
    problem: str = ""


def draw(plot: Callable[[], "Axes"], name: str, title: str, description: str) -> Picture:
    """Draw a picture, whatever goes wrong.

    Parameters
    ----------
    plot : callable
        Returns the axes of the picture.
    name : str
        What it is called on its page, which no other picture there is.
    title, description : str
        Text alternative, for readers who do not see it.
    """
    try:
        return Picture(title, inline_svg(plot(), name, title, description))
    except Exception as error:
        _log.warning("The figure '%s' of the report could not be drawn", title, exc_info=True)
        return Picture(title, None, type(error).__name__)
