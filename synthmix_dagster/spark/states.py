"""What kernels return, on its way from executors to the driver: JSON with arrays and bytes in it.

Nothing is unpickled here: what comes back is data, whoever sent it.
"""

import base64
import json
from typing import Any

import numpy as np
import pyarrow as pa

from synthmix_dagster import errors
from synthmix_dagster.errors import SynthMixError

_KIND = "kind"


def encoded(value: Any) -> bytes:
    """A plain value, a container of such values, an array, a table, or an error of this package.

    Examples
    --------
    >>> decoded(encoded((1, {"a": b"x", 2: None})))
    (1, {'a': b'x', 2: None})
    """
    return json.dumps(_packed(value)).encode()


def decoded(content: bytes) -> Any:
    """The value; an error is raised.

    Raises
    ------
    SynthMixError
        That was raised on an executor.
    """
    return _unpacked(json.loads(content))


def _packed(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [_packed(each) for each in value]
    if isinstance(value, tuple):
        return {_KIND: "tuple", "of": [_packed(each) for each in value]}
    if isinstance(value, dict):
        pairs = [[_packed(key), _packed(each)] for key, each in value.items()]
        return {_KIND: "dict", "of": pairs}
    if isinstance(value, bytes):
        return {_KIND: "bytes", "of": _text(value)}
    if isinstance(value, np.ndarray):
        values = np.ascontiguousarray(value)
        return {
            _KIND: "array",
            "type": values.dtype.str,
            "shape": list(values.shape),
            "of": _text(values.tobytes()),
        }
    if isinstance(value, pa.Table):
        return {_KIND: "table", "of": _text(table_bytes(value))}
    if isinstance(value, SynthMixError):
        known = {
            name: of if of is None or isinstance(of, bool) else str(of)
            for name, of in vars(value).items()
            if name != "where"
        }
        return {_KIND: "error", "type": type(value).__name__, "of": known}
    raise TypeError(f"a kernel cannot return a {type(value).__name__}")


def _unpacked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpacked(each) for each in value]
    if not isinstance(value, dict):
        return value
    kind, of = value[_KIND], value["of"]
    if kind == "tuple":
        return tuple(_unpacked(each) for each in of)
    if kind == "dict":
        return {_unpacked(key): _unpacked(each) for key, each in of}
    if kind == "error":
        raise _error(value["type"], of)
    content = base64.b64decode(of)
    if kind == "array":
        return np.frombuffer(content, value["type"]).reshape(value["shape"]).copy()
    return table_of(content) if kind == "table" else content


def _error(name: str, known: dict[str, Any]) -> SynthMixError:
    kind = getattr(errors, "ConfigError" if name == "UnknownChoiceError" else name)
    problem = known.pop("problem")
    error: SynthMixError = kind(problem, **known)
    return error


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def table_bytes(table: pa.Table) -> bytes:
    """Rows as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def table_of(content: bytes) -> pa.Table:
    """Rows of an Arrow stream."""
    with pa.ipc.open_stream(content) as reader:
        return reader.read_all()
