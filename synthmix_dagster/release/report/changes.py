"""What changed from one release to the next, read off their manifests."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from synthmix_dagster.display.formatting import signed
from synthmix_dagster.release.manifest import Manifest


@dataclass(frozen=True)
class Change:
    """A value that differs between two releases.

    Attributes
    ----------
    name : str
    before, now : object
        None where a release has no such value.
    difference : str
        Of two numbers; empty for all else.
    """

    name: str
    before: object
    now: object
    difference: str = ""


#: Name of a value, what it was and what it is.
Pair = tuple[str, object, object]

#: Numbers of the evidence that are followed, by where they stand.
_EVIDENCE = {
    "gap": ("distribution_distance", "gap"),
    "floor": ("distribution_distance", "floor"),
    "p-value": ("distribution_distance", "p_value"),
    "conditional gap": ("distribution_distance", "conditional_gap"),
    "recommended ratio": ("optimal_ratio", "ratio"),
    "predicted risk": ("optimal_ratio", "baselines", "recommended"),
    "predicted risk without synthetic rows": ("optimal_ratio", "baselines", "none"),
}
_SETTINGS = ("mode", "seed", "stratify", "key", "max_rows", "provenance", "rows_per_shard")


def changes(before: Manifest, now: Manifest) -> list[Change]:
    """List what differs between two releases.

    Parameters
    ----------
    before, now : Manifest
    """
    numbers = [*_counts(before, now), *_evidence(before, now)]
    others = [*_inputs(before, now), *_columns(before, now), *_settings(before, now)]
    return [
        *(
            Change(name, old, new, _difference(old, new))
            for name, old, new in numbers
            if old != new
        ),
        *(Change(name, _plain(old), _plain(new)) for name, old, new in others if old != new),
    ]


def _counts(before: Manifest, now: Manifest) -> Iterator[Pair]:
    old, new = before.realised, now.realised
    yield "rows", old.rows, new.rows
    yield "real rows", old.real_rows, new.real_rows
    yield "synthetic rows", old.synthetic_rows, new.synthetic_rows
    yield "ratio", old.ratio, new.ratio
    if len(old.generators) > 1 or len(new.generators) > 1:
        for name in sorted({*old.generators, *new.generators}):
            yield f"rows of generator '{name}'", old.generators.get(name), new.generators.get(name)


def _evidence(before: Manifest, now: Manifest) -> Iterator[Pair]:
    old, new = before.evidence, now.evidence
    for name, path in _EVIDENCE.items():
        yield name, _at(old, *path), _at(new, *path)
    thresholds = [_at(side, "thresholds") or {} for side in (old, new)]
    for gate in sorted({*thresholds[0], *thresholds[1]}):
        yield f"threshold of '{gate}'", thresholds[0].get(gate), thresholds[1].get(gate)


def _inputs(before: Manifest, now: Manifest) -> Iterator[Pair]:
    for name in sorted({*before.inputs, *now.inputs}, key=lambda each: (each != "real", each)):
        old, new = before.inputs.get(name), now.inputs.get(name)
        yield f"input rows of '{name}'", old and old.rows, new and new.rows
        # The first digits tell two apart; the manifests have all of them.
        digits = [side and side.fingerprint[:12] for side in (old, new)]
        yield f"fingerprint of '{name}' (first 12 digits)", digits[0], digits[1]


def _columns(before: Manifest, now: Manifest) -> Iterator[Pair]:
    old, new = ({column.name: column.type for column in side.columns} for side in (before, now))
    for name in [*old, *(added for added in new if added not in old)]:
        yield f"column '{name}'", old.get(name, "absent"), new.get(name, "absent")


def _settings(before: Manifest, now: Manifest) -> Iterator[Pair]:
    for key in _SETTINGS:
        yield f"setting '{key}'", getattr(before.mix, key), getattr(now.mix, key)
    for name in sorted({*before.libraries, *now.libraries}):
        yield f"version of {name}", before.libraries.get(name), now.libraries.get(name)


def _at(found: Any, *path: str) -> Any:
    """What stands at a path, or None where there is nothing."""
    for key in path:
        if not isinstance(found, Mapping) or key not in found:
            return None
        found = found[key]
    return found


def _plain(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or None
    return value


def _difference(old: object, new: object) -> str:
    numbers = [value for value in (old, new) if isinstance(value, int | float)]
    if len(numbers) < 2:
        return ""
    return signed(numbers[1] - numbers[0])
