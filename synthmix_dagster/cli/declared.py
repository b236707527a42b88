"""Options of the command line made from the options of the verbs: type, default and description."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import click

from synthmix_dagster.encoding.option_docs import attribute_docs

Command = TypeVar("Command", bound=Callable[..., Any])


def declared(options: type, *names: str) -> Callable[[Command], Command]:
    """Add an option to a command for each of the named fields of a class of options.

    Parameters
    ----------
    options : type
        Dataclass such as `DistanceOptions`.
    *names : str
        Its fields, in the order of the help.

    Examples
    --------
    >>> from synthmix_dagster.ratio.options import RatioOptions
    >>> command = click.command(declared(RatioOptions, "rule")(lambda rule: None))
    >>> command.params[0].opts, command.params[0].default
    (['--rule'], 'posterior')
    """
    by_name = {field.name: field for field in fields(options)}
    types, docs = get_type_hints(options), attribute_docs(options)

    def declare(command: Command) -> Command:
        for name in reversed(names):
            help_text = docs[name].replace("``", "")
            command = _option(by_name[name], types[name], help_text)(command)
        return command

    return declare


def values_of(settings: Mapping[str, Any], *options: type) -> dict[str, Any]:
    """The values that belong to classes of options, out of all that a command was given."""
    names = {field.name for each in options for field in fields(each)}
    return {name: value for name, value in settings.items() if name in names}


def _option(field: "Field[Any]", type_: Any, help_text: str) -> Callable[[Any], Any]:
    flag = f"--{field.name.replace('_', '-')}"
    kinds = [kind for kind in get_args(type_) if kind is not NoneType]
    if kinds and get_origin(kinds[0]) is Literal:
        # A choice that need not be made.
        type_, kinds = kinds[0], list(get_args(kinds[0]))
    if get_origin(type_) is Literal:
        # Numbers are left to the options to refuse, by the same message as in Python.
        words = isinstance(kinds[0], str)
        return _with_default(flag, field, help_text, type=click.Choice(kinds) if words else int)
    if get_origin(type_) is tuple:
        return click.option(
            flag, metavar="COLUMN", multiple=True, help=f"{help_text} May be repeated."
        )
    if type_ is bool:
        return _with_default(f"{flag}/--no-{flag[2:]}", field, help_text)
    kind = kinds[0] if kinds else type_
    metavar = field.metadata.get("metavar", "COLUMN") if kind is str else None
    return _with_default(flag, field, help_text, type=kind, metavar=metavar)


def _with_default(
    flag: str, field: "Field[Any]", help_text: str, **how: Any
) -> Callable[[Any], Any]:
    default = None if field.default is MISSING else field.default
    return click.option(flag, default=default, show_default=True, help=help_text, **how)
