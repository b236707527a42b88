"""What ``dg scaffold defs synthmix_dagster.SynthMixComponent NAME`` writes."""

from pathlib import Path

import dagster as dg
from pydantic import BaseModel, Field

_YAML = """\
# Distance between synthetic and real rows, how many synthetic rows to add, and the training set
# that holds exactly those. Try it:  dg check defs  and then  dg launch --job {name}_job
type: {type}

attributes:
  name: {name}              # assets are {name}/real, {name}/synthetic, {name}/training_data, ...

  # Files, folders, globs or URIs; or assets that exist already: {{ asset: warehouse/customers }}
  # A relative path starts at the folder in which Dagster was started, so name the project's folder.
  real: {{ path: "{real}" }}
  synthetic: {{ path: "{synthetic}" }}

  target: {target}          # label column
  task: {task}              # or {other}

  # Two gates, both in real standard deviations; a release over one of them is refused. The first
  # limits the distance between all columns, the second how far the labels of similar rows moved,
  # which tells best whether synthetic rows hurt. Look at the numbers of a first run, then tighten.
  threshold: {threshold}
  conditional_threshold: {conditional_threshold}

  # Where synthetic rows make no measurable difference, nothing is released until you say what you
  # want: none of them, which is cheaper, or the rows with the lowest predicted error.
  # flat_curve: none          # or rows

  # Releases are written below it. Use a folder that is shared by all machines that run steps.
  output_root: "{{{{ context.project_root }}}}/mixes"

  # A generator can only be evaluated on rows that it has not seen. Set some aside, and fit it on
  # the asset {name}/generator_input instead of all real rows:
  # evaluation_share: 0.2

  # When to run. Schedules are stopped until you start them.
  # schedule: {{ cron: "0 6 * * *", timezone: UTC }}
  # partitions_def: {{ type: daily, start_date: "2026-01-01" }}   # with {{partition_key}} in 'path'

  # drift: {{}}               # monitor the gap, the generator and the real data across runs
"""

_PYTHON = '''\
"""The training set `{name}`: measured, mixed and gated."""

import dagster as dg

from synthmix_dagster import SynthMixComponent


@dg.component_instance
def load(context: dg.ComponentLoadContext) -> SynthMixComponent:
    return SynthMixComponent(
        name="{name}",
        real={{"path": {real}}},
        synthetic={{"path": {synthetic}}},
        target="{target}",
        task="{task}",
        threshold={threshold},
        conditional_threshold={conditional_threshold},
        output_root=f"{{context.project_root}}/mixes",
    )
'''


class SynthMixParams(BaseModel):
    """Options of the scaffold command."""

    real: str = Field("data/real.parquet", description="Path or URI of the real rows.")
    synthetic: str = Field(
        "data/synthetic.parquet", description="Path or URI of the synthetic rows."
    )
    target: str = Field("target", description="Label column.")
    task: str = Field("classification", description="classification or regression.")
    threshold: float = Field(0.3, description="Maximum gap to release.")
    conditional_threshold: float = Field(
        0.2, description="Maximum shift of the labels of similar rows to release."
    )


class SynthMixScaffolder(dg.Scaffolder[SynthMixParams]):
    """Writes a commented component that loads as it is."""

    @classmethod
    def get_scaffold_params(cls) -> type[SynthMixParams]:
        return SynthMixParams

    def scaffold(self, request: dg.ScaffoldRequest[SynthMixParams]) -> None:
        params = request.params
        folder = request.target_path if request.target_path.is_dir() else request.target_path.parent
        name = plain(folder.name)
        if request.scaffold_format == "python":
            values = {"name": name, **params.model_dump()}
            values |= {side: _python_path(values[side]) for side in ("real", "synthetic")}
            _write(request.target_path / "component.py", _PYTHON.format(**values))
            return
        text = defs_yaml(name, request.type_name, params)
        if request.append:
            with request.target_path.open("a", encoding="utf-8") as file:
                file.write("---\n" + text)
        else:
            _write(request.target_path / "defs.yaml", text)


def defs_yaml(name: str, type_name: str, params: SynthMixParams) -> str:
    """The commented settings of a mix."""
    values = params.model_dump()
    values |= {side: _yaml_path(values[side]) for side in ("real", "synthetic")}
    other = "regression" if params.task == "classification" else "classification"
    return _YAML.format(name=name, type=type_name, other=other, **values)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _in_project(path: str) -> bool:
    return "://" not in path and not Path(path).is_absolute()


def _yaml_path(path: str) -> str:
    return "{{ context.project_root }}/" + path if _in_project(path) else path


def _python_path(path: str) -> str:
    return f'f"{{context.project_root}}/{path}"' if _in_project(path) else f'"{path}"'


def plain(name: str) -> str:
    """A folder's name as a valid name of a mix."""
    letters = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in name)
    return letters if letters.isidentifier() else f"mix_{letters}"
