"""What ``synthmix init`` writes: a Dagster project with one mix, which loads as it is."""

from pathlib import Path

from synthmix_dagster.orchestration.scaffolder import SynthMixParams, defs_yaml, plain

_PYPROJECT = """\
[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = ["synthmix-dagster", "dagster-webserver", "dagster-dg-cli"]

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.hatch.build.targets.wheel]
packages = ["src/{name}"]

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "{name}"
"""

_DEFINITIONS = '''\
"""Everything below ``defs/``."""

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
'''


def write_project(folder: Path, *, real: str, synthetic: str, target: str, task: str) -> str:
    """Write a project.

    Parameters
    ----------
    folder : Path
        Does not exist yet; its name becomes that of the mix.
    real, synthetic : str
        Absolute paths.
    target, task : str

    Returns
    -------
    str
        Name of the mix.
    """
    name = plain(folder.resolve().name)
    params = SynthMixParams.model_validate(
        {"real": real, "synthetic": synthetic, "target": target, "task": task}
    )
    package = folder / "src" / name
    mix = defs_yaml(name, "synthmix_dagster.SynthMixComponent", params)
    texts = {
        folder / "pyproject.toml": _PYPROJECT.format(name=name),
        package / "__init__.py": "",
        package / "definitions.py": _DEFINITIONS,
        package / "defs" / "__init__.py": "",
        package / "defs" / name / "defs.yaml": mix,
    }
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return name
