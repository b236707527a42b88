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
  real: {{ path: "{real}" }}
  synthetic: {{ path: "{synthetic}" }}

  target: {target}          # label column
  task: {task}              # or {other}

  # Maximum gap to release, in real standard deviations. A release with a larger gap is refused.
  # Set it after a first run shows the gap and its floor; '3 x floor' adapts to the sample size.
  threshold: {threshold}

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
    threshold: float = Field(0.25, description="Maximum gap to release.")


class SynthMixScaffolder(dg.Scaffolder[SynthMixParams]):
    """Writes a commented component that loads as it is."""

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
    """A folder's name as a valid name of a mix."""
    letters = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in name)
    return letters if letters.isidentifier() else f"mix_{letters}"
