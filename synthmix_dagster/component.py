"""The YAML front door: `SynthMixComponent` takes the same settings as `build_synthmix_defs`."""

import dagster as dg

from synthmix_dagster.config import MixConfig
from synthmix_dagster.definitions import definitions_of


class SynthMixComponent(dg.Component, MixConfig):
    """Measure, choose and mix synthetic training data, and gate its release.

    Gives the assets ``real``, ``synthetic``, ``distribution_distance``, ``optimal_ratio`` and
    ``training_data``, with checks that stop a release while the gap is over its threshold. The
    attributes are the fields of `synthmix_dagster.config.MixConfig`.
    """

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        return dg.ComponentTypeSpec(
            description="Synthetic training data: how far, how much, mixed exactly, gated.",
            tags=["synthetic-data", "machine-learning", "data-quality"],
        )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        return definitions_of(self)
