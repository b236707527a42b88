"""The YAML front door: `SynthMixComponent` takes the same settings as `build_synthmix_defs`."""

import dagster as dg
from pydantic import ConfigDict

from synthmix_dagster.orchestration.assets import Mix
from synthmix_dagster.orchestration.definitions import definitions_of
from synthmix_dagster.orchestration.scaffolder import SynthMixScaffolder


@dg.scaffold_with(SynthMixScaffolder)
class SynthMixComponent(dg.Component, Mix):
    """Measure, choose and mix synthetic training data, and gate its release.

    Defines the assets ``real``, ``synthetic``, ``distribution_distance``, ``optimal_ratio`` and
    ``training_data``, with checks that block a release while the gap exceeds its threshold. The
    attributes are the fields of `synthmix_dagster.orchestration.config.mix.MixConfig`.

    To change how assets appear, override ``get_asset_spec(role)``; to add to a step, override
    ``execute(role, context, frames)``.
    """

    # Dagster walks the class while a component loads, so that it cannot be built only then.
    model_config = ConfigDict(defer_build=False)

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        return dg.ComponentTypeSpec(
            description="Synthetic training data: measured, mixed in the right amount, and gated.",
            tags=["synthetic-data", "machine-learning", "data-quality"],
            produces=["asset", "asset_check", "job", "schedule"],
        )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        return definitions_of(self)
