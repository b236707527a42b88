"""Objects of a project that settings name in text, as in ``my_project.metrics:profit``."""

from importlib import import_module
from typing import Any

from synthmix_dagster.errors import ConfigError
from synthmix_dagster.redaction import cause_of


def is_reference(text: str) -> bool:
    """Whether a text names an object of a module: ``module:object``."""
    return ":" in text


def load_reference(text: str, *, option: str) -> Any:
    """Import the object that ``module:object`` names.

    Parameters
    ----------
    text : str
        The module, a colon, and the name of the object, which may be one of a class.
    option : str
        Where it was set, for messages.

    Raises
    ------
    ConfigError
        The module cannot be imported, or has no such object.

    Examples
    --------
    >>> load_reference("math:sqrt", option="scoring")(9)
    3.0
    """
    module, _, names = text.partition(":")
    try:
        found: Any = import_module(module)
        for name in names.split("."):
            found = getattr(found, name)
    except Exception as error:
        raise ConfigError(
            f"'{text}' cannot be imported ({type(error).__name__}: {error})",
            option=option,
            fix="Write 'module:object', both as Python imports them in this environment",
        ) from cause_of(error)
    return found
