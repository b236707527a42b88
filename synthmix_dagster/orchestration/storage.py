"""Object stores with their credentials, as a resource of a Dagster project."""

from typing import Any

import dagster as dg
from pydantic import Field

from synthmix_dagster.data.store import StoreAccess
from synthmix_dagster.errors import ConfigError


class SynthMixStorage(dg.ConfigurableResource[Any]):
    """How to reach an object store; what is left out is found in the environment of the step.

    A mix names it by its key, ``storage: lake``; datasets may name another one. Give secrets as
    ``dg.EnvVar("NAME")``: Dagster shows plain values in its UI.

    Examples
    --------
    >>> storage = SynthMixStorage(endpoint="http://localhost:9000", region="eu-central-1")
    >>> storage.access().region
    'eu-central-1'
    """

    endpoint: str | None = Field(
        default=None, description="Address of the service where it is not the usual one."
    )
    region: str | None = Field(default=None, description="Region of the bucket.")
    access_key_id: str | None = Field(default=None, description="Key of S3 or a service like it.")
    secret_access_key: str | None = Field(default=None, description="Secret of that key.")
    session_token: str | None = Field(default=None, description="Token of temporary keys.")
    options: dict[str, str] = Field(
        default={},
        description="Further options of the client by the names of obstore, such as account_name, "
        "account_key or service_account_path.",
    )
    scratch: str | None = Field(
        default=None,
        description="Local directory for selected rows on their way, by default that of temporary "
        "files. It needs about as much space as these rows take in memory, and 18 bytes more for "
        "each.",
    )
    scratch_mb: float | None = Field(
        default=None,
        description="Maximum MB of scratch space that one release may take; a release that needs "
        "more is refused. As much as is free by default.",
    )
    timeout_seconds: float = Field(
        default=StoreAccess.timeout_seconds, description="Seconds that one request may take."
    )
    retry_seconds: float = Field(
        default=StoreAccess.retry_seconds,
        description="Seconds for which a request that fails is tried again.",
    )
    lease_seconds: float = Field(
        default=StoreAccess.lease_seconds,
        description="Seconds for which a writer without a sign of life holds its place.",
    )

    def access(self) -> StoreAccess:
        """The same as the functions of the package take it."""
        return StoreAccess(**{name: getattr(self, name) for name in StoreAccess.__annotations__})


def reached(key: str | None) -> StoreAccess | None:
    """How the running step reaches a store, by the resource that the settings name.

    Parameters
    ----------
    key : str, optional
        Key of the resource; without one, whatever the environment says.

    Raises
    ------
    ConfigError
        See `access_of`.
    """
    if key is None:
        return None
    return access_of(getattr(dg.OpExecutionContext.get().resources, key), key)


def access_of(resource: Any, key: str) -> StoreAccess:
    """How a resource reaches a store.

    Raises
    ------
    ConfigError
        The resource is another one.
    """
    if not isinstance(resource, SynthMixStorage):
        raise ConfigError(
            f"the resource '{key}' is a {type(resource).__name__}",
            option="storage",
            fix="Name a resource that is a SynthMixStorage",
        )
    return resource.access()
