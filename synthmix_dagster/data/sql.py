"""Statements that a warehouse is asked: parameters bound and never pasted, names checked.

A statement is cut into code, quotes and comments, so that nothing is looked for, or put, inside a
quote. What runs it makes sure by a read-only transaction that it only reads; what can be seen here
is refused before anything is asked.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from synthmix_dagster.errors import ConfigError
from synthmix_dagster.redaction import without_secrets

_QUOTED = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\$([A-Za-z_]*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/",
    re.DOTALL,
)
#: A statement that reads begins so.
_READS = ("select", "with", "values", "table", "from")
#: These write wherever they stand, behind ``with`` for example.
_WRITES = re.compile(r"(?<![.\w])(insert|update|delete|merge|into)\b(?!\s*\()", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_MAX_NAMES = 3
#: A line of a statement that a message shows.
_SHOWN = 120
_PASSWORD = re.compile(r"(?i)((?:password|passwd|pwd|secret|token)\s*[=:]\s*)('[^']*'|[^\s'\"]+)")


@dataclass(frozen=True)
class Query:
    """What is asked of a warehouse: a statement with the values of its parameters, or a table.

    Attributes
    ----------
    parts : tuple of str
        The statement, cut where parameters stand.
    values : tuple of str
        One for each parameter.
    table : str
        Name of a table, in the place of a statement.

    Examples
    --------
    >>> query = Query(("select * from t where day = ", " and x > 0"), ("2026-01-01",))
    >>> query.text(lambda number: f"${number}")
    'select * from t where day = $1 and x > 0'
    """

    parts: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    table: str = ""

    def text(self, marker: Callable[[int], str], quote: str = '"') -> str:
        """The statement as one driver takes it.

        Parameters
        ----------
        marker : callable
            From the number of a parameter, from 1, to what stands in its place.
        quote : str
            What encloses names; nothing where a database folds them to capitals.
        """
        if self.table:
            return f"SELECT * FROM {quoted(self.table, quote)}"  # noqa: S608 - names are plain
        ends = (marker(number) for number in range(1, len(self.parts)))
        return self.parts[0] + "".join(
            end + part for end, part in zip(ends, self.parts[1:], strict=True)
        )

    @property
    def shown(self) -> str:
        """Its first line, as messages quote it."""
        whole = self.table or "…".join(self.parts)
        line = next((line.strip() for line in whole.splitlines() if line.strip()), "")
        line = without_passwords(line)
        return line if len(line) <= _SHOWN else f"{line[:_SHOWN]} …"

    @property
    def whole(self) -> str:
        """All of it, for people, with ``{1}`` where the first parameter stands."""
        return without_passwords(self.text(lambda number: f"{{{number}}}", quote=""))


def code_of(sql: str) -> str:
    """A statement without quotes and comments.

    Examples
    --------
    >>> code_of("select 'a;b' from t -- all")
    'select   from t  '
    """
    return "".join(text if is_code else " " for is_code, text in pieces(sql))


def pieces(sql: str) -> Iterator[tuple[bool, str]]:
    """A statement in order, cut into code and what is quoted or a comment."""
    at = 0
    for found in _QUOTED.finditer(sql):
        yield True, sql[at : found.start()]
        yield False, found[0]
        at = found.end()
    yield True, sql[at:]


def require_reading(sql: str) -> None:
    """Refuse a statement that writes, or that is several.

    Raises
    ------
    ConfigError

    Examples
    --------
    >>> require_reading("with x as (delete from t returning *) select * from x")
    Traceback (most recent call last):
    ...
    synthmix_dagster.errors.ConfigError: option 'query': it writes ('delete'). Use a ...
    """
    code = code_of(sql).strip()
    problem = ""
    first = re.search(r"[A-Za-z_]+", code)
    if ";" in code.rstrip("; \n\t"):
        problem = "it holds several statements"
    elif first is None or first[0].lower() not in _READS:
        problem = f"it begins with '{'' if first is None else first[0]}'"
    elif found := _WRITES.search(code):
        problem = f"it writes ('{found[1].lower()}')"
    if problem:
        raise ConfigError(problem, option="query", fix="Use a single SELECT")


def without_end(sql: str) -> str:
    """A statement without the semicolon at its end."""
    return sql.rstrip().rstrip(";").rstrip() if code_of(sql).rstrip().endswith(";") else sql


def names_of(table: str) -> tuple[str, ...]:
    """Parts of the name of a table.

    Raises
    ------
    ConfigError
        One of them is not a plain name.

    Examples
    --------
    >>> names_of("analytics.churn_training")
    ('analytics', 'churn_training')
    """
    names = tuple(table.split("."))
    if len(names) > _MAX_NAMES or not all(_NAME.fullmatch(name) for name in names):
        raise ConfigError(
            f"{table!r} is not a plain name of a table",
            option="table",
            fix="Write it as 'schema.table', of letters, digits and underscores; for other names "
            "set 'query'",
        )
    return names


def quoted(table: str, quote: str = '"') -> str:
    """The name of a table in a statement."""
    return ".".join(f"{quote}{name}{quote}" for name in names_of(table))


def without_passwords(text: str) -> str:
    """A text without addresses' secrets and values that are called passwords.

    Examples
    --------
    >>> without_passwords("postgres_scan('host=h password=hunter2', 'public', 't')")
    "postgres_scan('host=h password=***', 'public', 't')"
    """
    return _PASSWORD.sub(r"\1***", without_secrets(text))
