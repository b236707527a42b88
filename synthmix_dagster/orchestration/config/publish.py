"""Where else a release goes, once it has passed its gates."""

from pydantic import field_validator, model_validator
from typing_extensions import Self

from synthmix_dagster.orchestration.config.base import Settings, writable_root


class PublishConfig(Settings):
    """Places outside of `output_root` that receive every release, after its gates.

    Attributes
    ----------
    delta : str, optional
        Folder or URI of a Delta table. The release is appended to it as one version, whose commit
        states the release id; a release that is in the table already is not appended again.
    storage : str, optional
        Key of a `SynthMixStorage` resource by which the table is reached; by default the `storage`
        of the mix, or else the credentials of the environment.
    """

    delta: str | None = None
    storage: str | None = None

    @field_validator("delta")
    @classmethod
    def _writable(cls, value: str | None) -> str | None:
        if value is not None and value.lower().startswith("memory://"):
            raise ValueError(f"'{value}' is not a place for a table. Use a directory or a URI")
        return None if value is None else writable_root(value)

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.delta is None:
            raise ValueError("no target is set. Set 'delta' to the address of a table")
        return self
