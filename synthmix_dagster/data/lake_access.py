"""How the libraries of Delta and Iceberg reach what a store reaches."""

from collections.abc import Mapping
from typing import Literal

from synthmix_dagster.data.store import StoreAccess

#: A library that reads or writes tables.
Library = Literal["delta", "iceberg"]
#: Properties of pyiceberg, by the options of a kind of store.
_ICEBERG: Mapping[str, Mapping[str, str]] = {
    "s3": {
        "endpoint": "s3.endpoint",
        "region": "s3.region",
        "access_key_id": "s3.access-key-id",
        "secret_access_key": "s3.secret-access-key",
        "session_token": "s3.session-token",
    },
    "az": {"account_name": "adls.account-name", "account_key": "adls.account-key"},
    "gs": {"base_url": "gcs.service.host"},
}


def options_of(library: Library, kind: str, access: StoreAccess) -> dict[str, str]:
    """Options of a library for a kind of store; what pyiceberg has no name for is left out."""
    given = access.config(kind)
    if library == "iceberg":
        known = _ICEBERG.get("az" if kind.startswith("a") else kind, {})
        return {known[name]: value for name, value in given.items() if name in known}
    # deltalake has the names of obstore, since both are made of the same client.
    client = access.client_options()
    plain = {"allow_http": "true"} if "allow_http" in client else {}
    limits = {name: f"{client[name].total_seconds():g}s" for name in ("timeout", "connect_timeout")}
    return {**plain, **limits, "retry_timeout": f"{access.retry_seconds:g}s", **given}
