"""Pages, cards and documents from Jinja2 templates: one environment for the whole package.

Templates lie in the `templates/` directory of their room and are named by their path inside the
package. Those named ``*.md.jinja`` are Markdown; all others are HTML, in which every value is
escaped. Every value goes through `shown`, and one that is missing is an error rather than nothing.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_environment, select_autoescape
from markupsafe import Markup

from synthmix_dagster.display.formatting import shown
from synthmix_dagster.display.style import ON_DARK, variable


def render(name: str, /, **values: Any) -> str:
    """Return a template filled with values.

    Parameters
    ----------
    name : str
        Path of the template inside the package.
    **values
        What it lays out; a `Markup` is inserted as it is.

    Raises
    ------
    jinja2.UndefinedError
        The template uses a value that is not among them.

    Examples
    --------
    >>> page = "release/report/templates/failed.html.jinja"
    >>> render(page, problem="<Error>").split(". ")[0]
    '<p class="warning">This section could not be written (&lt;Error&gt;)'
    """
    return environment().get_template(name).render(values)


def part(name: str, /, **values: Any) -> Markup:
    """Return a filled HTML template for another one to insert as it is."""
    # The template has escaped every value in it.
    return Markup(render(name, **values))  # noqa: S704


@cache
def environment() -> Environment:
    """The environment of all templates."""
    made = Environment(
        # From the root of the package, so that a room can use the parts that `display` has.
        loader=PackageLoader("synthmix_dagster", "."),
        autoescape=select_autoescape(
            disabled_extensions=("md.jinja",), default=True, default_for_string=True
        ),
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(shown=shown, numeric_fields=numeric_fields, markdown=markdown)
    made.globals["palette"] = [(variable(light), light, dark) for light, dark in ON_DARK.items()]
    return made


@pass_environment
def numeric_fields(
    environment: Environment, rows: Iterable[Any], columns: Sequence[tuple[str, str | int]]
) -> list[str | int]:
    """The fields that hold numbers and nothing else, which are set flush right.

    Parameters
    ----------
    environment : Environment
        Passed by Jinja2.
    rows : iterable
        Objects or mappings with these fields, or sequences.
    columns : sequence of tuple
        Title and field of every column.
    """
    numeric = []
    for _, field in columns:
        values = [environment.getitem(row, field) for row in rows]
        present = [value for value in values if value is not None]
        if present and all(
            isinstance(value, int | float) and not isinstance(value, bool) for value in present
        ):
            numeric.append(field)
    return numeric


def markdown(value: object) -> str:
    r"""A value as Markdown text on one line that is neither markup nor a border of a table.

    Examples
    --------
    >>> markdown("a|b <i>")
    'a\\|b &lt;i&gt;'
    """
    plain = shown(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return " ".join(plain.splitlines()).replace("|", "\\|")


def _shown(value: object) -> object:
    """What is markup already stays so; all else becomes text, which the template escapes."""
    if isinstance(value, StrictUndefined):
        # Formatting it raises, with its name.
        return str(value)
    return value if isinstance(value, Markup) else shown(value)
