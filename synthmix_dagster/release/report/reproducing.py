"""The program that makes the same release again."""

from synthmix_dagster.release.manifest import Manifest


def program(manifest: Manifest) -> str:
    """Return the Python program that makes the same bytes from the same inputs.

    Parameters
    ----------
    manifest : Manifest
    """
    request, names = manifest.mix, manifest.generators
    ratios = {name: request.generators[name].ratio for name in names}
    one = names == ["synthetic"]
    strata = request.generators["synthetic"].strata if one else None
    if strata is not None:
        ratio: object = {stratum: of.ratio for stratum, of in strata.items()}
    else:
        ratio = ratios["synthetic"] if one else ratios
    generators = ", ".join(f"{name!r}: {_variable(name)}" for name in names)
    settings = {
        "ratio": ratio,
        "mode": request.mode,
        "seed": request.seed,
        "stratify": request.stratify,
        "key": list(request.key) or None,
        "max_rows": request.max_rows,
        "shortage": "cap" if _short(manifest) else None,
        "provenance": request.provenance,
        "rows_per_shard": request.rows_per_shard,
        "domains": list(request.domains or ()) or None,
    }
    lines = [
        "from synthmix_dagster import mix, open_dataset",
        "",
        *(_opened(manifest, name) for name in ("real", *names)),
        "release = mix(",
        "    real,",
        f"    {'synthetic' if one else '{' + generators + '}'},",
        *(f"    {key}={value!r}," for key, value in settings.items() if value is not None),
        "    output='a directory',",
        ")",
        f"assert release.release_id == {manifest.release_id!r}",
    ]
    return "\n".join(lines)


def _opened(manifest: Manifest, name: str) -> str:
    view = manifest.inputs[name].view
    options = {**({} if view is None else vars(view)), **(manifest.inputs[name].reading or {})}
    # Version 0 of a table is an option, an empty list of filters is none.
    said = {key: value for key, value in sorted(options.items()) if value or value == 0}
    given = "".join(f", {key}={_plain(value)!r}" for key, value in said.items())
    queried = manifest.inputs[name].origin is not None
    source = "ROWS OF THE QUERY, AS AN ARROW TABLE" if queried else "PATH OR FRAME"
    return f"{_variable(name)} = open_dataset({source!r}, {name!r}{given})"


def _plain(value: object) -> object:
    """Lists, as a reader would write them."""
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _short(manifest: Manifest) -> bool:
    """Whether more synthetic rows were requested than there were."""
    n, due = manifest.real.rows, manifest.mix.synthetic_rows
    shares = manifest.mix.generators.items()
    if manifest.mix.max_rows is None:
        # Of strata the rows are known, and not how many there were of each.
        return sum(round(share.ratio * n) for _, share in shares) > due
    return any(round(share.ratio * n) > manifest.inputs[name].rows for name, share in shares)


def _variable(name: str) -> str:
    """A name of Python for a generator of any name."""
    return "".join(c if c.isalnum() else "_" for c in f"_{name}" if c).lstrip("_") or "rows"
