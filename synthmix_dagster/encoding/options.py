"""Which rows and columns the numerics see: options that every verb shares, each declared once.

Everything here is plain Python, so that settings and the command line can read names, types,
defaults and descriptions without loading numpy.
"""

import math
import numbers
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from synthmix_dagster.encoding.references import is_reference
from synthmix_dagster.errors import ConfigError, UnknownChoiceError

Scaling = Literal["standard", "robust", "rank"]
#: What is predicted: a number or a class.
Task = Literal["regression", "classification"]
#: One column; pandas also has numbers for names, which are taken as text.
Name = str | int
#: One column, several, or none.
Names = Name | Collection[Name] | None

#: How a column of text becomes a vector by its words, see `Columns`.
TEXT = "text"
#: Folds of fewer rows than this say nothing.
MIN_ROWS = 10
#: Units from the origin up to which single precision is good for products of coordinates.
FARTHEST = 1e6


@dataclass(frozen=True)
class Columns:
    """Which columns take part, as what, and on what scale.

    Attributes
    ----------
    categorical : sequence of str
        Columns to treat as categories although they hold numbers.
    ignore : sequence of str
        Columns to leave out, such as free text.
    key : sequence of str
        Columns that identify a row; they are left out of distances.
    weights : mapping of str to float
        Factor on a column's part of every squared distance; 1 by default.
    scaling : {"standard", "robust", "rank"}
        What makes numbers comparable: mean and standard deviation, median and quartiles, or ranks,
        always those of the real rows.
    groups : str, optional
        Column of both datasets whose rows belong together, such as a session or a day. Whole groups
        are cut into folds and relabelled by the test; the column is left out of the distance.
    embed : mapping of str to str
        Columns to turn into vectors: ``text`` by their words (TF-IDF and a truncated SVD, learned
        from the real rows), or ``module:object`` by a callable from a list of values to an array.
        The column itself stays as it is.

    Examples
    --------
    >>> columns = Columns(categorical="city", ignore=["comment"], key="id", groups="day")
    >>> columns.categorical, columns.left_out
    (('city',), ('comment', 'id', 'day'))
    """

    categorical: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    scaling: Scaling = "standard"
    groups: str | None = None
    embed: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("categorical", "ignore", "key"):
            object.__setattr__(self, name, listed(getattr(self, name)))
        weights = {str(column): weight for column, weight in (self.weights or {}).items()}
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "embed", dict(self.embed or {}))
        object.__setattr__(self, "groups", None if self.groups is None else str(self.groups))
        require_choice(self.scaling, Scaling, option="scaling")
        for column, how in self.embed.items():
            if how != TEXT and not is_reference(how):
                raise ConfigError(
                    f"'{column}' is to be embedded by {how!r}",
                    option="embed",
                    fix=f"Write '{TEXT}', or 'module:object' for a callable of your own",
                )
            if column in (*self.left_out, *self.categorical):
                raise ConfigError(
                    f"'{column}' is also left out or a category",
                    option="embed",
                    fix="Name it in one place",
                )
        for column, weight in self.weights.items():
            if not (isinstance(weight, numbers.Real) and 0 < weight < math.inf):
                raise ConfigError(
                    f"the weight of '{column}' is {weight!r}",
                    option="weights",
                    fix="Set it to a number above 0, or add the column to 'ignore'",
                )

    @property
    def left_out(self) -> tuple[str, ...]:
        """Columns that take no part in distances and features."""
        return (*self.ignore, *self.key, *([] if self.groups is None else [self.groups]))


@dataclass(frozen=True)
class SampleOptions:
    """How many rows are looked at, and with which randomness.

    Attributes
    ----------
    sample_rows : int
        Maximum number of rows of either dataset to compute with, drawn uniformly.
    seed : int
        Seed of everything random.
    """

    sample_rows: int = 20_000
    seed: int = 0

    def __post_init__(self) -> None:
        require_min(self.sample_rows, MIN_ROWS, option="sample_rows")
        require_min(self.seed, 0, option="seed")


def listed(names: Names) -> tuple[str, ...]:
    """Column names as a tuple; one name is not a tuple of its letters.

    Examples
    --------
    >>> listed("id"), listed(["a", 2]), listed(0), listed(None)
    (('id',), ('a', '2'), ('0',), ())
    """
    if names is None:
        return ()
    return (str(names),) if isinstance(names, str | int) else tuple(map(str, names))


def require_choice(value: object, choices: Any, *, option: str) -> None:
    """Refuse a word that is not among those of a `Literal` type.

    Raises
    ------
    UnknownChoiceError
        It names the nearest valid one.
    """
    if value not in get_args(choices):
        raise UnknownChoiceError(value, option=option, known=map(str, get_args(choices)))


def require_min(value: float, minimum: float, *, option: str) -> None:
    """Refuse a number below a minimum.

    Raises
    ------
    ConfigError
    """
    if not value >= minimum:
        raise ConfigError(f"it is {value}", option=option, fix=f"Set it to {minimum} or more")
