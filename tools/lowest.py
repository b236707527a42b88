"""Print the lowest versions that ``pyproject.toml`` allows, as constraints for pip.

Only what the package itself needs at run time, and what is released together with Dagster, whose
parts ask for each other's release. Other tools for development stay as new as they can be.
"""

import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: What is released together with Dagster.
_TOGETHER = (
    *("create-dagster", "dagster-dg-cli", "dagster-duckdb", "dagster-postgres"),
    *("dagster-slack", "dagster-webserver"),
)
_BOUND = re.compile(r"(?P<name>[\w.-]+)>=(?P<version>[\w.]+)")


def lowest_versions() -> list[str]:
    """Turn every ``name>=version`` into ``name==version``."""
    pyproject = Path(__file__).parents[1] / "pyproject.toml"
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    together = [tool for tool in (*extras["example"], *extras["dev"]) if tool.startswith(_TOGETHER)]
    pinned = []
    for requirement in (*project["dependencies"], *together):
        bound = _BOUND.fullmatch(requirement)
        if bound is None:
            raise SystemExit(f"{pyproject.name}: '{requirement}' has no plain lower bound")
        pinned.append(f"{bound['name']}=={bound['version']}")
    return pinned


if __name__ == "__main__":
    print("\n".join(lowest_versions()))
