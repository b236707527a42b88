"""How this package gets to the executors: as one archive of its sources, sent once a session.

They need nothing of it installed. What it imports there is numpy, pandas and pyarrow, and obstore
where rows or releases lie in an object store.
"""

import hashlib
import tempfile
import zipfile
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import synthmix_dagster

#: Sessions that have the archive.
_shipped: "WeakKeyDictionary[Any, str]" = WeakKeyDictionary()


def ship(session: Any) -> None:
    """Send the package to the executors of a session, unless they have it.

    Parameters
    ----------
    session : pyspark.sql.SparkSession
        Classic or Connect; both distribute archives of Python.
    """
    if session in _shipped:
        return
    archive = package_archive(Path(tempfile.mkdtemp(prefix="synthmix-")))
    session.addArtifacts(str(archive), pyfile=True)
    _shipped[session] = archive.name


def package_archive(folder: Path) -> Path:
    """The sources of this package as an archive that Python imports from.

    Parameters
    ----------
    folder : Path
        Where to write it; its name has a digest of the sources, so that no other version of them
        goes by it.
    """
    package = Path(synthmix_dagster.__file__).parent
    sources = [*sorted(package.rglob("*.py")), package / "__init__.pyi"]
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.relative_to(package).as_posix().encode() + b"\0")
        digest.update(source.read_bytes())
    archive = folder / f"synthmix_dagster_{digest.hexdigest()[:16]}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for source in sources:
            name = f"{package.name}/{source.relative_to(package).as_posix()}"
            # The public names are looked up in a file beside the package, which no task asks for.
            if source == package / "__init__.py":
                packed.writestr(name, "")
            else:
                packed.write(source, name)
    return archive
