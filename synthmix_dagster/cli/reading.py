"""How datasets are read: ``--read csv.delimiter=;`` and the like, from the declared options."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import wraps
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar, get_origin, get_type_hints

import click

from synthmix_dagster.data.options import CsvOptions, ReadOptions
from synthmix_dagster.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from synthmix_dagster.data.dataset import Dataset
    from synthmix_dagster.spark.session import SparkAccess

Command = TypeVar("Command", bound=Callable[..., Any])

_SHOWN = "such as csv.delimiter=';', csv.types.zip=string, timezone=UTC or version=3."
#: Names that other datasets have.
_TAKEN = ("real", "synthetic", "evaluation", "other", "rows")
#: How a dataset in a database begins.
_QUERIED = ("table:", "query:")
_WORDS = {"true": True, "yes": True, "false": False, "no": False}


def reading(command: Command) -> Command:
    """Add the options, and hand the command datasets that were opened with them.

    A dataset for which no option is given stays the path that it is.
    """

    @wraps(command)
    def opening(real: str, synthetic: str | tuple[str, ...], **settings: Any) -> Any:
        cluster = cluster_of(settings)
        both, connection = settings.pop("read"), settings.pop("connection")
        sides = {name: [*both, *settings.pop(f"read_{name}")] for name in ("real", "synthetic")}
        named = {} if isinstance(synthetic, str) or len(synthetic) < 2 else _by_name(synthetic)
        one = synthetic if isinstance(synthetic, str) else synthetic[0]
        given: dict[str, Any] = {"real": real, **(named or {"synthetic": one})}
        sides |= dict.fromkeys(named, sides["synthetic"])
        if settings.get("other") is not None:
            # Rows of another domain are real ones as well.
            given["other"], sides["other"] = settings.pop("other"), sides["real"]
        if settings.get("evaluation") is not None:
            # Rows to judge by are real rows, and come from where these do.
            given["evaluation"], sides["evaluation"] = settings.pop("evaluation"), sides["real"]
        key = settings.get("key", ())

        def dataset(name: str, path: str) -> "str | Dataset":
            if cluster is not None and name != "evaluation":
                return on_cluster(cluster, path, name, key, sides[name])
            if path.startswith(_QUERIED):
                return unloaded(path, name, connection, sides[name])
            return opened(path, name, settings, sides[name]) if sides[name] else path

        datasets: dict[str, Any] = {name: dataset(name, path) for name, path in given.items()}
        if named:
            datasets["synthetic"] = {name: datasets.pop(name) for name in named}
        return command(**settings, **datasets)

    opening = click.option(
        "--connection",
        metavar="VARIABLE",
        help="Environment variable with the address of a database. Datasets may then be "
        "table:NAME or query:SELECT.",
    )(opening)
    for option in _CLUSTER:
        opening = option(opening)
    for flag, what in (
        ("--read-synthetic", "How the synthetic rows are read"),
        ("--read-real", "How the real rows are read"),
        ("--read", "How both datasets are read"),
    ):
        option = click.option(
            flag,
            metavar="OPTION=VALUE",
            multiple=True,
            help=f"{what}, {_SHOWN} May be repeated.",
        )
        opening = option(opening)
    return opening  # type: ignore[return-value]


#: Options that say where the rows are read, the last one of the help first.
_CLUSTER = (
    click.option(
        "--spark-option",
        "spark_options",
        metavar="NAME=VALUE",
        multiple=True,
        help="Option of the session of Spark, such as spark.executor.memory=8g. May be repeated.",
    ),
    click.option(
        "--remote",
        metavar="VARIABLE",
        help="With --engine spark, environment variable with the address of a Spark Connect "
        "server, such as sc://host:15002.",
    ),
    click.option(
        "--master",
        metavar="ADDRESS",
        help="With --engine spark, its master, such as spark://host:7077 or local[4].",
    ),
    click.option(
        "--engine",
        type=click.Choice(["arrow", "spark"]),
        default="arrow",
        show_default=True,
        help="What reads, selects and writes the rows: this machine, or a Spark cluster, of whose "
        "catalogue a dataset may be table:NAME.",
    ),
)


def cluster_of(settings: dict[str, Any]) -> "SparkAccess | None":
    """Take out of the settings of a command how a cluster is reached; None for this machine.

    Raises
    ------
    click.UsageError
        The options do not go together.
    ConfigError
        An address or an option is not one.
    """
    names = ("engine", "master", "remote", "spark_options")
    engine, master, variable, pairs = (settings.pop(name) for name in names)
    if engine == "arrow":
        if master or variable or pairs:
            raise click.UsageError(
                "--master, --remote and --spark-option go with --engine spark. Set it."
            )
        return None
    from synthmix_dagster.spark.session import SparkAccess

    if bool(master) == bool(variable):
        raise click.UsageError("--engine spark needs one of --master and --remote.")
    if variable and not os.environ.get(variable):
        raise ConfigError(
            f"the environment variable '{variable}' is not set",
            option="remote",
            fix="Set it to the address of a Spark Connect server, such as sc://host:15002",
        )
    options = dict(pair.partition("=")[::2] for pair in pairs)
    if any("=" not in pair for pair in pairs):
        raise click.UsageError("--spark-option is NAME=VALUE, such as spark.executor.memory=8g.")
    return SparkAccess(
        master=master, remote=os.environ[variable] if variable else None, options=options
    )


def on_cluster(
    cluster: "SparkAccess", source: str, name: str, key: Sequence[str], pairs: Sequence[str]
) -> "Dataset":
    """Open a path, or a table of the catalogue, on a cluster."""
    from synthmix_dagster.verbs.engines import open_on_cluster

    kind, colon, table = source.partition(":")
    if colon and kind == "query":
        raise ConfigError(
            f"'{name}' is a query, which a warehouse answers",
            option="engine",
            fix="Name a table of the catalogue as table:NAME, or use --engine arrow",
        )
    named = table if colon and kind == "table" else None
    options = options_of(pairs)
    return open_on_cluster(cluster, source, name, table=named, key=key, **options)


def _by_name(synthetic: tuple[str, ...]) -> dict[str, str]:
    """Several generators by their names."""
    named: dict[str, str] = {}
    for each in synthetic:
        name, equals, path = each.partition("=")
        if not (equals and path and name.isidentifier()) or name in (*_TAKEN, *named):
            raise click.BadParameter(
                f"'{each}' is not NAME=PATH, with a name of its own for each of several generators",
                param_hint="SYNTHETIC",
            )
        named[name] = path
    return named


def unloaded(source: str, name: str, connection: str | None, pairs: Sequence[str]) -> "Dataset":
    """Unload a table or a query to a temporary directory, which is gone when the command ends.

    Parameters
    ----------
    source : str
        ``table:NAME`` or ``query:SELECT``.
    name : str
    connection : str, optional
        Environment variable with the address of a database.
    pairs : sequence of str
        Options such as ``timezone=UTC``.
    """
    from synthmix_dagster.data.opening import open_store
    from synthmix_dagster.data.snapshots import Asked, unload
    from synthmix_dagster.data.sql import Query, names_of, require_reading
    from synthmix_dagster.data.warehouse import warehouse_at

    if connection is None or not os.environ.get(connection):
        raise ConfigError(
            f"'{name}' is a table or a query, and no address of a database is given",
            option="connection",
            fix="Name an environment variable that holds it, such as --connection WAREHOUSE_URI",
        )
    kind, _, text = source.partition(":")
    if kind == "table":
        names_of(text)
    else:
        require_reading(text)
    options = options_of(pairs)
    if set(options) - {"timezone"}:
        raise ConfigError(
            f"'{name}' is a table or a query, which only has a time zone",
            option="read",
            fix="Leave the other options out",
        )
    folder = click.get_current_context().with_resource(TemporaryDirectory(prefix="synthmix-"))
    asked = Asked(
        warehouse_at(os.environ[connection], connection),
        Query(table=text) if kind == "table" else Query((text,)),
        name,
        timezone=options.get("timezone"),
    )
    return unload(asked, open_store(folder)).open(name)


def opened(
    source: "str | Dataset", name: str, settings: Mapping[str, Any], pairs: Sequence[str] = ()
) -> "Dataset":
    """Open a dataset with options of the command line, or return the one that is open.

    Parameters
    ----------
    source : str or Dataset
    name : str
    settings : mapping
        Other options of the command, of which the key matters.
    pairs : sequence of str
        Options such as ``csv.decimal=,``.
    """
    from synthmix_dagster.data.dataset import open_dataset

    if not isinstance(source, str):
        return source
    return open_dataset(source, name, key=settings.get("key", ()), **options_of(pairs))


def options_of(pairs: Sequence[str]) -> dict[str, Any]:
    r"""Read options as they are written on the command line.

    Raises
    ------
    ConfigError
        One is not of the form ``option=value``, or unknown.

    Examples
    --------
    >>> options_of(["csv.delimiter=\\t", "csv.types.zip=string", "csv.null_values=NA,-"])
    {'csv': {'delimiter': '\t', 'types': {'zip': 'string'}, 'null_values': ['NA', '-']}}
    """
    known = {
        **dict.fromkeys(("format", "timezone", "version"), ReadOptions),
        **{f"csv.{each.name}": CsvOptions for each in fields(CsvOptions)},
    }
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        group, _, rest = name.partition(".")
        option, _, column = rest.partition(".")
        full = f"csv.{option}" if group == "csv" else name
        if not equals or full not in known or bool(column) != (full == "csv.types"):
            raise ConfigError(
                f"unknown option '{pair}'", option="read", fix=did_you_mean(name, known)
            )
        target = found.setdefault("csv", {}) if group == "csv" else found
        if column:
            target.setdefault("types", {})[column] = value
        else:
            key = option or name
            target[key] = _typed(pair, value, get_type_hints(known[full])[key])
    return found


def _typed(pair: str, value: str, type_: Any) -> Any:
    if type_ is bool:
        if value.lower() not in _WORDS:
            raise ConfigError(
                f"'{pair}' is not a yes or a no", option="read", fix="Use true or false"
            )
        return _WORDS[value.lower()]
    if type_ is int:
        return int(value) if value.isdecimal() else value
    if get_origin(type_) is tuple:
        return value.split(",")
    return value.replace("\\t", "\t")
