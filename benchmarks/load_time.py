"""What loading costs: the component beside Dagster itself, and a hundred mixes beside one.

    python -m benchmarks.load_time [--repeat N] [--mixes N] [--json FILE]

import     `import dagster` alone, and with `from synthmix_dagster import SynthMixComponent`
Python     a project of one mix or of many by `build_synthmix_defs`, up to its repository
YAML       the same, a `defs.yaml` for each, by `load_from_defs_folder`
bare       as YAML, by a component with as many steps that do nothing: Dagster's share

Every measurement is a process of its own, and the two sides of a pair take turns, so that what else
the machine does falls on both. The best of N counts, in seconds by the clock and by the processor;
what is shown is the difference of a pair. Each process measures itself after the interpreter has
started; projects are measured after the imports.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

COMPONENT = "synthmix_dagster.SynthMixComponent"

_TIMED = """
import json, sys, time
def measured(action):
    clock, processor = time.perf_counter(), time.process_time()
    action()
    print(json.dumps([time.perf_counter() - clock, time.process_time() - processor]))
"""

_DAGSTER = """
def load():
    import dagster
measured(load)
"""

_COMPONENT = """
def load():
    import dagster
    from synthmix_dagster import SynthMixComponent
measured(load)
"""

_PYTHON = """
import dagster as dg
from synthmix_dagster import build_synthmix_defs
def load():
    dg.Definitions.merge(*[
        build_synthmix_defs(
            name=f"mix_{number}",
            real={"path": "real.parquet"},
            synthetic={"path": "synthetic.parquet"},
            target="label",
            task="classification",
            threshold=0.25,
            output_root="mixes",
        )
        for number in range(int(sys.argv[1]))
    ]).get_repository_def()
measured(load)
"""

_YAML = """
import pathlib
import dagster as dg
root = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(root))
import {module}
def load():
    dg.load_from_defs_folder(path_within_project=root / "project").get_repository_def()
measured(load)
"""

_BARE = '''
"""Five assets that do nothing, each with a check in its step."""

import dagster as dg


class Bare(dg.Component, dg.Model, dg.Resolvable):
    name: str
    real: dict[str, str]
    synthetic: dict[str, str]
    target: str
    task: str
    threshold: float
    output_root: str

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        keys = [dg.AssetKey([self.name, str(number)]) for number in range(5)]
        return dg.Definitions(
            assets=[self.asset(key) for key in keys],
            jobs=[dg.define_asset_job(self.name, selection=keys)],
        )

    def asset(self, key: dg.AssetKey) -> dg.AssetsDefinition:
        @dg.multi_asset(
            name="__".join(key.path),
            specs=[dg.AssetSpec(key)],
            check_specs=[dg.AssetCheckSpec("check", asset=key)],
            can_subset=True,
        )
        def compute(context: dg.AssetExecutionContext): ...

        return compute
'''

_DEFS = """
type: {type}
attributes:
  name: mix_{number}
  real: {{ path: real.parquet }}
  synthetic: {{ path: synthetic.parquet }}
  target: label
  task: classification
  threshold: 0.25
  output_root: mixes
"""

_PYPROJECT = """
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "project"
"""


def run(program: str, *arguments: str) -> list[float]:
    """Seconds by the clock and by the processor, as one process measures itself."""
    done = subprocess.run(
        [sys.executable, "-c", _TIMED + program, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds: list[float] = json.loads(done.stdout.splitlines()[-1])
    return seconds


def paired(sides: dict[str, tuple[str, ...]], repeat: int) -> dict[str, dict[str, float]]:
    """Best of each side, taken in turn, and what the second costs beyond the first."""
    runs: dict[str, list[list[float]]] = {name: [] for name in sides}
    for program in sides.values():
        run(*program)  # compiles what was never compiled
    for _ in range(repeat):
        for name, program in sides.items():
            runs[name].append(run(*program))
    best = {
        name: [min(column) for column in zip(*results, strict=True)]
        for name, results in runs.items()
    }
    first, second = best.values()
    best["difference"] = [after - before for before, after in zip(first, second, strict=True)]
    return {
        name: {"seconds": clock, "processor seconds": processor}
        for name, (clock, processor) in best.items()
    }


def yaml_project(folder: Path, mixes: int, component_type: str) -> str:
    """Write a project of so many components."""
    package = folder / "project"
    package.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(_PYPROJECT)
    (package / "__init__.py").write_text("")
    (package / "bare.py").write_text(_BARE)
    for number in range(mixes):
        component = package / "defs" / f"mix_{number}"
        component.mkdir(parents=True)
        (component / "defs.yaml").write_text(_DEFS.format(number=number, type=component_type))
    (package / "defs" / "__init__.py").write_text("")
    return str(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--mixes", type=int, default=100)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    repeat, many = options.repeat, f"{options.mixes} mixes"
    results = {
        "import": paired({"dagster": (_DAGSTER,), "with component": (_COMPONENT,)}, repeat),
        "Python": paired({"1 mix": (_PYTHON, "1"), many: (_PYTHON, str(options.mixes))}, repeat),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, component in {"YAML": COMPONENT, "bare": "project.bare.Bare"}.items():
            program = _YAML.format(module=component.rpartition(".")[0])
            one, all_of_them = (
                yaml_project(Path(folder) / f"{name} {mixes}", mixes, component)
                for mixes in (1, options.mixes)
            )
            sides = {"1 mix": (program, one), many: (program, all_of_them)}
            results[name] = paired(sides, repeat)
    for name, result in results.items():
        for side, figures in result.items():
            shown = ", ".join(f"{value:.3f} {unit}" for unit, value in figures.items())
            print(f"{name:8} {side:16} {shown}")
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
