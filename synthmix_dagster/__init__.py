"""How much synthetic data to add, whether it is safe to release, and since when it drifts.

The public names are listed in ``__init__.pyi`` and load on first use: Dagster imports this package
in every ``dg`` command, so the import itself stays cheap.
"""

import ast
from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Executors of a cluster import the package from an archive, which only its loader reads.
_STUB = __spec__.loader.get_data(f"{__file__}i").decode()  # type: ignore[union-attr, attr-defined]
#: Module of each public name.
_HOME = {
    imported.name: statement.module
    for statement in ast.parse(_STUB).body
    if isinstance(statement, ast.ImportFrom) and statement.module is not None
    for imported in statement.names
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    # Whenever a project loads, Dagster looks for components at every name that it finds here, so
    # names that need an engine appear once they are used. Editors read the stub.
    light = [name for name, home in _HOME.items() if home.startswith(f"{__name__}.orchestration.")]
    return sorted({*globals(), *light})
