"""Where a mix, a partition of it or a monitor keeps what it writes."""

from dataclasses import dataclass
from urllib.parse import quote

from synthmix_dagster.data.opening import open_store
from synthmix_dagster.data.store import Store
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.config.monitor import MonitorConfig
from synthmix_dagster.orchestration.directories import require_apart_on_disk
from synthmix_dagster.orchestration.records import SHARED, Records
from synthmix_dagster.orchestration.storage import reached


@dataclass(frozen=True)
class MixPaths:
    """Folders of one mix, or of one partition of it.

    Attributes
    ----------
    root : Store
        Folder of the mix, over all partitions.
    mix : str
        Name of the mix with its key prefix; several mixes may write to one directory.
    partition : str, optional
        Key of the partition.
    generator : str, optional
        Name of the generator, where there are several.
    """

    root: Store
    mix: str
    partition: str | None = None
    generator: str | None = None

    @classmethod
    def of(cls, config: MixConfig | MonitorConfig) -> "MixPaths":
        """Paths of a mix, of the partition that its settings are for, or of a monitor.

        Raises
        ------
        ReleaseError
            A link leads out of `output_root`, or the directory lies in that of another mix.
        """
        name = config.qualified_name
        output_root = open_store(config.output_root, reached(config.storage))
        root = output_root.below(config.output or name)
        require_apart_on_disk(output_root, config.output or name)
        if isinstance(config, MixConfig):
            return cls(root, name, config.partition, config.generator)
        return cls(root, name)

    @property
    def output(self) -> Store:
        """Folder of the mix or of its partition: holds ``releases`` and ``latest``."""
        if self.partition is None:
            return self.root
        # A name of dots alone would lead up.
        name = quote(self.partition, safe="")
        name = name.replace(".", "%2E") if set(name) == {"."} else name
        return self.root.below("partitions", name)

    @property
    def records(self) -> Records:
        """Results that one asset of the mix stores for the next."""
        return Records(self.output, self.mix, self.generator)

    @property
    def drift_records(self) -> Records:
        """Alarms of drift that stand, over all partitions."""
        return Records(self.root, self.mix, self.generator)

    @property
    def references(self) -> Store:
        """Folder of the reference samples of drift, over all partitions."""
        return self.root.below("references", self.mix, *self._of_generator)

    @property
    def generated(self) -> Store:
        """Folder of the rows made by a generator resource."""
        return self.output.below("generated", self.mix, *self._of_generator)

    def snapshots(self, side: str) -> Store:
        """Folder of the rows that the query of a dataset returned."""
        own = [] if side in SHARED else self._of_generator
        return self.output.below("snapshots", self.mix, *own, side)

    @property
    def _of_generator(self) -> list[str]:
        """Folders of a generator below those of its mix; no mix can have such a name."""
        return [] if self.generator is None else ["generated", self.generator]
