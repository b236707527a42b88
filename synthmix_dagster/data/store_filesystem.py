"""A store as pyarrow knows filesystems, so that its readers open what lies in one."""

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.fs as pa_fs

if TYPE_CHECKING:
    from synthmix_dagster.data.object_store import ObjectStore


class StoreHandler(pa_fs.FileSystemHandler):  # type: ignore[misc]
    """Reads, and nothing else; paths are relative to the store.

    Parameters
    ----------
    store : ObjectStore
    """

    def __init__(self, store: "ObjectStore") -> None:
        self.store = store

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoreHandler) and self.store == other.store

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.store)

    def get_type_name(self) -> str:
        return "synthmix-store"

    def normalize_path(self, path: str) -> str:
        return path.strip("/")

    def get_file_info(self, paths: list[str]) -> list[Any]:
        return [self._info(path.strip("/")) for path in paths]

    def get_file_info_selector(self, selector: Any) -> list[Any]:
        folder = selector.base_dir.strip("/")
        below = self.store.below(folder) if folder else self.store
        found = [file for file in below.files() if selector.recursive or "/" not in file.name]
        return [
            pa_fs.FileInfo(
                "/".join(filter(None, (folder, file.name))), pa_fs.FileType.File, size=file.bytes
            )
            for file in found
        ]

    def version(self, path: str) -> str:
        """What differs after a file was written again."""
        return self.store.version(path.strip("/"))

    def open_input_stream(self, path: str) -> pa.NativeFile:
        return self.store.open(path.strip("/"))

    def open_input_file(self, path: str) -> pa.NativeFile:
        return self.store.open(path.strip("/"))

    def create_dir(self, path: str, recursive: bool) -> None:
        raise NotImplementedError

    delete_dir = delete_dir_contents = delete_root_dir_contents = delete_file = create_dir
    move = copy_file = open_output_stream = open_append_stream = create_dir

    def _info(self, path: str) -> Any:
        if path and self.store.exists(path):
            return pa_fs.FileInfo(path, pa_fs.FileType.File, size=self.store.size(path))
        below = self.store.below(path) if path else self.store
        kind = pa_fs.FileType.Directory if below.files() else pa_fs.FileType.NotFound
        return pa_fs.FileInfo(path, kind)
