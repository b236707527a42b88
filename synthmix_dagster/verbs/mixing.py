"""The third verb, without Dagster: mix, and publish what passed its gates."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from synthmix_dagster.data.dataset import Dataset, IntoDataset
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.data.store import Store, StoreAccess
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.encoding.options import Names, listed
from synthmix_dagster.errors import ConfigError, GateError
from synthmix_dagster.gates.coverage import RELEASED_ROWS
from synthmix_dagster.gates.evidence import Evidence, gates_of, of_generator, refusals
from synthmix_dagster.gates.threshold import Gate
from synthmix_dagster.gates.verdicts import Verdict
from synthmix_dagster.gates.waiver import require_no_objection
from synthmix_dagster.ratio.answers import Answer
from synthmix_dagster.release.coverage import judge_selected
from synthmix_dagster.release.events import Event, refusal_of_worst
from synthmix_dagster.release.handle import Release
from synthmix_dagster.release.mixing import MixPlan, plan_mix
from synthmix_dagster.release.options import MixOptions, Mode, Shortage
from synthmix_dagster.release.recording import refusals_recorded
from synthmix_dagster.release.signing import Sign
from synthmix_dagster.verbs.engines import IntoEngine, engine_of, opened_by


def mix(
    real: IntoDataset,
    synthetic: IntoDataset | Mapping[str, IntoDataset],
    *,
    ratio: float | Mapping[str, float],
    output: Path | str | Store,
    domains: Names = None,
    mode: Mode = MixOptions.mode,
    seed: int = MixOptions.seed,
    stratify: str | None = MixOptions.stratify,
    key: Names = None,
    ignore: Names = None,
    max_rows: int | None = MixOptions.max_rows,
    shortage: Shortage = MixOptions.shortage,
    provenance: bool = MixOptions.provenance,
    rows_per_shard: int = MixOptions.rows_per_shard,
    keep_releases: int | None = MixOptions.keep_releases,
    memory_mb: int = MixOptions.memory_mb,
    distance: DistanceReport | Mapping[str, DistanceReport] | None = None,
    recommendation: Answer | None = None,
    threshold: float | str | Mapping[str, float | str] | None = None,
    conditional_threshold: float | None = None,
    class_threshold: float | None = None,
    classifier_threshold: float | None = None,
    min_distinct_share: float | None = None,
    sign: Sign | None = None,
    storage: StoreAccess | None = None,
    engine: IntoEngine = None,
) -> Release:
    """Publish every real row and exactly ``round(ratio * n)`` synthetic ones as a release.

    With a threshold, all synthetic rows to be released are compared with those that `distance` was
    measured on (the check ``released_rows``), before anything is written.

    The same inputs, ratio and seed give the same release id and the same bytes, whatever the memory
    and the number of threads. Readers see the whole release or none of it; ``<output>/latest``
    points to the newest.

    Parameters
    ----------
    real : path, DataFrame, Arrow table or Dataset
    synthetic : the same, or a mapping of the names of several generators to them
    ratio : float, or mapping of str to float
        Synthetic rows per real row. Of several generators, by their names. With `stratify` and one
        synthetic dataset also by the values of that column, per real row of that value: a ratio
        for every class, such as the `ratios` of `recommend_per_class`.
    output : path or URI
        Folder for releases, such as ``mixes/churn`` or ``s3://bucket/mixes/churn``.
    domains : sequence of str, optional
        Names of the generators whose rows are real rows of another domain; in the release their
        source is ``other``.
    mode : {"rows", "weights"}
        With ``weights`` all synthetic rows are there, and the column ``sample_weight`` makes them
        count as much as that many rows.
    seed : int
        Seed of the selection and of the order of rows.
    stratify : str, optional
        Column whose shares among the synthetic rows the selection keeps.
    key : sequence of str, optional
        Columns that identify a row.
    ignore : sequence of str, optional
        Real columns that the synthetic rows may lack; they are empty there.
    max_rows : int, optional
        Maximum number of rows in the release. All real rows are kept, so synthetic ones make room.
    shortage : {"refuse", "cap"}
        If more synthetic rows are requested than there are: refuse, or take all and say so.
    provenance : bool
        Whether every row states its source, its generator and its identity.
    rows_per_shard : int
    keep_releases : int, optional
        Releases to keep in `output`, the newest; all by default.
    memory_mb : int
        Memory budget in MB; frames that are in memory anyway are not counted.
    distance : DistanceReport, or mapping of the names of several generators to theirs, optional
        Of these very rows. Every gate judges each generator by itself, and all have to pass.
        Manifest and report of the release keep it, or the verdicts on each generator.
    recommendation : Recommendation, SourceMixture, ClassRatios or EmbeddingOptimum, optional
        Of these very rows, kept as well.
    threshold : float, str or mapping of str to either, optional
        Largest gap of `distance` that may be released: a number, ``"3 x floor"``, or ``"auto"``,
        the critical gap of `recommendation`. Of several generators also by their names.
    conditional_threshold : float, optional
        Largest conditional gap.
    class_threshold : float, optional
        Maximum class gap: how far the labels of the worst class moved for given inputs.
    classifier_threshold : float, optional
        Maximum balanced accuracy of the classifier that tells the sides apart, such as 0.6; measure
        `distance` with ``classifier=True``.
    min_distinct_share : float, optional
        Minimum share of distinct rows that the synthetic rows may count as.
    sign : callable, optional
        Takes the digest of the manifest, 32 bytes, and returns a signature, which is stored as
        ``manifest.json.sig``; `verify_release` takes the verifier. Called once the rows are
        written, before the release can be seen.
    storage : StoreAccess, optional
        Endpoint, region and credentials of `output` in an object store; by default those of the
        environment.
    engine : Engine or SparkAccess, optional
        What opens the datasets and moves the rows: by default this machine, with a `SparkAccess` a
        cluster, whose executors read, select and write them. The same rows are taken.

    Returns
    -------
    Release

    Raises
    ------
    GateError
        The distance is over a threshold, or was measured on other rows; nothing was written.
    ConfigError, DataError, ReleaseError
        An option is wrong, the sides do not fit each other, or the release cannot be written.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> real, synthetic = pd.DataFrame({"x": range(10)}), pd.DataFrame({"x": range(10, 40)})
    >>> with tempfile.TemporaryDirectory() as output:
    ...     release = mix(real, synthetic, ratio=0.5, output=output)
    >>> release.manifest["realised"]["synthetic_rows"]
    5
    """
    options = MixOptions(
        mode=mode,
        seed=seed,
        stratify=stratify,
        max_rows=max_rows,
        shortage=shortage,
        provenance=provenance,
        rows_per_shard=rows_per_shard,
        keep_releases=keep_releases,
        memory_mb=memory_mb,
    )
    others = (conditional_threshold, class_threshold, classifier_threshold, min_distinct_share)
    gates = _gates(threshold, others, distance)
    store = open_store(output, storage)
    with refusals_recorded(store, _attempt(distance, gates, recommendation, ratio)):
        evidence = _judged(store.name, distance, recommendation, gates)
        opened = opened_by(engine, real, "real", key=listed(key))
        if isinstance(synthetic, Mapping):
            generators = {
                name: opened_by(engine, rows, name, key=listed(key))
                for name, rows in synthetic.items()
            }
        else:
            generators = {"synthetic": opened_by(engine, synthetic, "synthetic", key=listed(key))}
        if distance is not None and gates:
            _require_of_these_rows(distance, opened, generators)
        plan = plan_mix(
            opened,
            generators if isinstance(synthetic, Mapping) else generators["synthetic"],
            ratio=ratio,
            options=options,
            key=listed(key),
            optional=[*listed(ignore), *listed(key)],
            domains=listed(domains),
            engine=engine_of(engine, [opened, *generators.values()], memory_mb),
        )
        if distance is not None and gates:
            evidence = _with_released_rows(plan, distance, evidence, next(iter(generators)))
    # Where a release lies must not change its bytes, and the name of a folder says no more.
    return plan.publish(store, replace(evidence, mix=""), sign)


#: One report, or one of each of several generators.
Distances: TypeAlias = DistanceReport | Mapping[str, DistanceReport]


def _attempt(
    distance: Distances | None,
    gates: Mapping[str, Sequence[Gate]],
    recommendation: Answer | None,
    ratio: float | Mapping[str, float],
) -> Event:
    """What the history keeps of this mix if it is refused."""
    one = {} if distance is None or isinstance(distance, Mapping) else {"": distance}
    reports = distance if isinstance(distance, Mapping) else one
    asked = None if isinstance(ratio, Mapping) else ratio
    return refusal_of_worst(reports, gates, answer=recommendation, ratio=asked)


def _gates(
    threshold: float | str | Mapping[str, float | str] | None,
    others: tuple[float | None, float | None, float | None, float | None],
    distance: Distances | None,
) -> dict[str, list[Gate]]:
    """The gates of each generator by its name; of the only one, by no name. Empty without any."""
    names = list(distance) if isinstance(distance, Mapping) else [""]
    if isinstance(threshold, Mapping):
        if sorted(threshold) != sorted(names):
            raise ConfigError(
                f"it names {', '.join(sorted(threshold))}, and 'distance' "
                f"{', '.join(sorted(filter(None, names))) or 'is of one dataset'}",
                option="threshold",
                fix="Set a threshold for each generator, or one number for all",
            )
        return {name: gates_of(threshold[name], *others) for name in names}
    gates = gates_of(threshold, *others)
    return dict.fromkeys(names, gates) if gates else {}


def _judged(
    mix: str,
    distance: Distances | None,
    recommendation: Answer | None,
    gates: Mapping[str, Sequence[Gate]],
) -> Evidence:
    """Judge a distance by every gate; of several generators each by its own."""
    if not isinstance(distance, Mapping):
        return Evidence.judged(mix, distance, recommendation, gates.get("", ()))
    checks: dict[str, Verdict] = {}
    limits: dict[str, float] = {}
    for name, report in sorted(distance.items()):
        judged = Evidence.judged(
            f"{mix}, generator {name}", report, recommendation, gates.get(name, ())
        )
        checks |= {of_generator(gate, name): found for gate, found in judged.checks.items()}
        limits |= {of_generator(gate, name): limit for gate, limit in judged.thresholds.items()}
    return Evidence(mix, None, recommendation, limits, checks, distances=dict(distance))


def _with_released_rows(
    plan: MixPlan, distance: Distances, evidence: Evidence, only: str
) -> Evidence:
    """Compare the rows to be released of each generator with those of it that were measured."""
    if isinstance(distance, Mapping):
        verdicts = {
            of_generator(RELEASED_ROWS, name): judge_selected(plan, report, name)
            for name, report in sorted(distance.items())
        }
    else:
        verdicts = {RELEASED_ROWS: judge_selected(plan, distance, only)}
    require_no_objection(refusals(verdicts), None, mix=evidence.mix)
    return replace(evidence, checks={**evidence.checks, **verdicts})


def _require_of_these_rows(
    distance: Distances, real: Dataset, generators: Mapping[str, Dataset]
) -> None:
    """Refuse a verdict on other rows: a gate is worth what it measured.

    Raises
    ------
    GateError
        It names the dataset that differs.
    """
    reports = distance if isinstance(distance, Mapping) else dict.fromkeys(generators, distance)
    if sorted(reports) != sorted(generators) or (reports is not distance and len(generators) > 1):
        raise GateError(
            f"{len(generators)} generators are to be mixed, but 'distance' is not of each of them",
            mix=", ".join(sorted(generators)),
            fix="Pass 'distance' as a mapping of the name of every generator to its report. "
            "Nothing was written",
        )
    for name, synthetic in generators.items():
        measured = reports[name].inputs
        # A dataset that was opened under another name was measured under it.
        own = measured.get("synthetic", measured.get(name))
        for side, found, dataset in (
            ("real", measured.get("real"), real),
            ("synthetic", own, synthetic),
        ):
            if found != dataset.fingerprint:
                raise GateError(
                    f"'distance' was not measured on the {side} dataset that is to be mixed",
                    mix=synthetic.name,
                    fix="Measure the distance of exactly the datasets that you pass to mix. "
                    "Nothing was written",
                )
