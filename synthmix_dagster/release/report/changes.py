"""What changed from one release to the next, read off their manifests."""

from collections.abc import Iterator, Mapping
from typing import Any

#: What changed: its name, what it was, what it is, and the difference where there is one.
Change = tuple[str, object, object, str]
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


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """List what differs between two releases.

    Parameters
    ----------
    before, now : mapping
        Their manifests.

    Returns
    -------
    list of tuple
        Name, value before, value now, and the difference of two numbers in words.
    """
    measured = [*_counts(before, now), *_evidence(before, now)]
    given = [*_inputs(before, now), *_columns(before, now), *_settings(before, now)]
    return [
        *((name, old, new, _difference(old, new)) for name, old, new in measured if old != new),
        *((name, _plain(old), _plain(new), "") for name, old, new in given if old != new),
    ]


def _counts(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Pair]:
    old, new = before["realised"], now["realised"]
    for name, key in (
        ("rows", "rows"),
        ("real rows", "real_rows"),
        ("synthetic rows", "synthetic_rows"),
        ("ratio", "ratio"),
    ):
        yield name, old[key], new[key]
    if len(old["generators"]) > 1 or len(new["generators"]) > 1:
        for name in sorted({*old["generators"], *new["generators"]}):
            counts = old["generators"].get(name), new["generators"].get(name)
            yield (f"rows of generator '{name}'", *counts)


def _evidence(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Pair]:
    old, new = before["evidence"], now["evidence"]
    for name, path in _EVIDENCE.items():
        yield name, _at(old, *path), _at(new, *path)
    thresholds = [_at(side, "thresholds") or {} for side in (old, new)]
    for gate in sorted({*thresholds[0], *thresholds[1]}):
        yield f"threshold of '{gate}'", thresholds[0].get(gate), thresholds[1].get(gate)


def _inputs(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Pair]:
    old, new = before["inputs"], now["inputs"]
    for name in sorted({*old, *new}, key=lambda each: (each != "real", each)):
        yield f"rows given as '{name}'", _at(old, name, "rows"), _at(new, name, "rows")
        # The first digits tell two apart; the manifests have all of them.
        prints = [(_at(side, name, "fingerprint") or "")[:12] for side in (old, new)]
        yield f"fingerprint of '{name}' begins with", prints[0], prints[1]


def _columns(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Pair]:
    old, new = ({c["name"]: c["type"] for c in side["columns"]} for side in (before, now))
    for name in [*old, *(added for added in new if added not in old)]:
        yield f"column '{name}'", old.get(name, "not there"), new.get(name, "not there")


def _settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Pair]:
    for key in _SETTINGS:
        yield f"setting '{key}'", before["mix"][key], now["mix"][key]
    old, new = before["libraries"], now["libraries"]
    for name in sorted({*old, *new}):
        yield f"version of {name}", old.get(name), new.get(name)


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
    if isinstance(value, list):
        return ", ".join(map(str, value)) or None
    return value


def _difference(old: object, new: object) -> str:
    numbers = [value for value in (old, new) if isinstance(value, int | float)]
    if len(numbers) < 2:
        return ""
    step = numbers[1] - numbers[0]
    return f"{step:+,}" if isinstance(step, int) else f"{step:+.4g}"
