"""What ``dg scaffold defs synthmix_dagster.SynthMixComponent NAME`` writes."""

from pathlib import Path

import dagster as dg
from pydantic import BaseModel, Field

_YAML = """\
# How far the synthetic rows are from the real ones, how many of them to add, and the training set
# that holds exactly those. Try it:  dg check defs  and then  dg launch --job {name}_job
type: {type}

attributes:
  name: {name}              # assets are {name}/real, {name}/synthetic, {name}/training_data, ...

  # Files, folders, globs or URIs; or assets that exist already: {{ asset: warehouse/customers }}
  real: {{ path: "{real}" }}
  synthetic: {{ path: "{synthetic}" }}

  target: {target}          # label column
  task: {task}              # or {other}

  # Largest gap to release, in real standard deviations. A release is refused above it. Look at the
  # gap and at its floor in the first run, then set it; '3 x floor' follows the size of the data.
  threshold: {threshold}

  # Releases are written below it. Use a folder that every machine sees which runs a step.
  output_root: "{{{{ context.project_root }}}}/mixes"

  # Only rows that the generator never saw can judge it. Put some aside, and fit the generator on
  # the asset {name}/generator_input instead of on the real rows:
  # evaluation_share: 0.2

  # When to run. Schedules are stopped until somebody starts them.
  # schedule: {{ cron: "0 6 * * *", timezone: UTC }}
  # partitions_def: {{ type: daily, start_date: "2026-01-01" }}   # with {{partition_key}} in 'path'

  # drift: {{}}               # watch the gap, the generator and reality over the runs
"""

_PYTHON = '''\
"""How far, how much, mixed exactly, gated: the training set `{name}`."""

import dagster as dg

from synthmix_dagster import SynthMixComponent


@dg.component_instance
def load(context: dg.ComponentLoadContext) -> SynthMixComponent:
    return SynthMixComponent(
        name="{name}",
        real={{"path": "{real}"}},
        synthetic={{"path": "{synthetic}"}},
        target="{target}",
        task="{task}",
        threshold={threshold},
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
    threshold: float = Field(0.25, description="Largest gap to release.")


class SynthMixScaffolder(dg.Scaffolder[SynthMixParams]):
    """Writes a component that loads as it stands and explains itself."""

    @classmethod
    def get_scaffold_params(cls) -> type[SynthMixParams]:
        return SynthMixParams

    def scaffold(self, request: dg.ScaffoldRequest[SynthMixParams]) -> None:
        params = request.params
        folder = request.target_path if request.target_path.is_dir() else request.target_path.parent
        values = {
            "type": request.type_name,
            "name": _plain(folder.name),
            "other": "regression" if params.task == "classification" else "classification",
            **params.model_dump(),
        }
        if request.scaffold_format == "python":
            _write(request.target_path / "component.py", _PYTHON.format(**values))
        elif request.append:
            with request.target_path.open("a", encoding="utf-8") as file:
                file.write("---\n" + _YAML.format(**values))
        else:
            _write(request.target_path / "defs.yaml", _YAML.format(**values))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _plain(name: str) -> str:
    """A folder's name as the name of a mix."""
    letters = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in name)
    return letters if letters.isidentifier() else f"mix_{letters}"
