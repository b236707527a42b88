"""Two of the three verbs, without Dagster: measure and recommend. The third is in `mixing`.

Each takes what `open_dataset` takes (a path, a pandas, polars or duckdb frame, an Arrow table),
hands a bounded sample to the numerics and returns a frozen result. The Dagster assets call these
very functions.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from synthmix_dagster.data.alignment import require_pair
from synthmix_dagster.data.dataset import Dataset, IntoDataset
from synthmix_dagster.data.identity import digest
from synthmix_dagster.data.priority import salted
from synthmix_dagster.data.profile import Profile
from synthmix_dagster.data.remote import is_remote
from synthmix_dagster.data.schema_contract import absent_levels
from synthmix_dagster.distance.every_row import EveryRow
from synthmix_dagster.distance.measure import measure, measure_gap
from synthmix_dagster.distance.options import DistanceOptions, Method, Order, Rows
from synthmix_dagster.distance.report import DistanceReport
from synthmix_dagster.encoding.columns import shared_columns
from synthmix_dagster.encoding.options import (
    Columns,
    Name,
    Names,
    Scaling,
    Task,
    listed,
)
from synthmix_dagster.encoding.target import TargetCode
from synthmix_dagster.ratio.crossfit import Generator
from synthmix_dagster.ratio.experience import Experience
from synthmix_dagster.ratio.options import (
    ClassWeight,
    FlatCurve,
    Learner,
    RatioOptions,
    Rule,
    Scoring,
)
from synthmix_dagster.ratio.recommend import recommend
from synthmix_dagster.ratio.recommendation import Recommendation
from synthmix_dagster.ratio.refits import load_estimator
from synthmix_dagster.ratio.wording import headline_on_absent
from synthmix_dagster.threads import one_thread
from synthmix_dagster.verbs.engines import IntoEngine
from synthmix_dagster.verbs.samples import (
    Samples,
    draw_samples,
    judges_of,
    notes_of,
    open_pair,
    sizes_of,
)


def measure_distance(
    real: IntoDataset,
    synthetic: IntoDataset,
    *,
    target: Name | None = None,
    task: Task | None = None,
    categorical: Names = None,
    ignore: Names = None,
    key: Names = None,
    weights: Mapping[str, float] | None = None,
    scaling: Scaling = Columns.scaling,
    groups: str | None = Columns.groups,
    embed: Mapping[str, str] | None = None,
    method: Method = DistanceOptions.method,
    p: Order = DistanceOptions.p,
    rows: Rows = DistanceOptions.rows,
    sample_rows: int = DistanceOptions.sample_rows,
    directions: int = DistanceOptions.directions,
    permutations: int = DistanceOptions.permutations,
    memory_mb: int = DistanceOptions.memory_mb,
    classifier: bool = DistanceOptions.classifier,
    seed: int = DistanceOptions.seed,
    engine: IntoEngine = None,
) -> DistanceReport:
    """Measure how far synthetic rows are from real ones.

    Parameters
    ----------
    real, synthetic : path, DataFrame or Arrow table
        The two datasets; columns are matched by name.
    target : str, optional
        Label column. It takes part in the distance like any other column; naming it makes sure
        that it is there and complete, and adds the gap of the inputs alone and that of the target
        given the inputs.
    task : str, optional
        ``regression`` or ``classification``; with the latter the target is compared as a category
        even where it is a number.
    categorical : collection of str, optional
        Columns to treat as categories although they hold numbers.
    ignore : collection of str, optional
        Columns to leave out, such as free text.
    key : sequence of str, optional
        Columns that identify a row; they are left out as well.
    weights : mapping of str to float, optional
        Factor on a column's part of every squared distance, 1 by default.
    scaling : {"standard", "robust", "rank"}
        What makes numbers comparable: mean and standard deviation, median and quartiles, or ranks,
        always those of the real rows.
    groups : str, optional
        Column of both sides whose rows belong together, such as a session or a day. Whole groups
        are cut into folds and relabelled by the test; the column is left out of the distance.
    embed : mapping of str to str, optional
        Columns to turn into vectors: ``text`` by their words, learned from the real rows, or
        ``module:object`` by a callable from a list of values to an array.
    method : {"sliced", "exact", "sinkhorn", "gaussian"}
        Estimator of the distance. ``exact`` and ``sinkhorn`` draw a bounded number of rows;
        ``gaussian`` sees means and covariances only and is a diagnostic.
    p : int
        Order of the distance, 1 or 2.
    rows : {"sample", "all"}
        With ``all`` (``sliced`` only) the gap is that of every row, read in two passes; p-value,
        columns and target gaps are those of the sample.
    sample_rows : int
        Maximum number of rows of either dataset in the sample, drawn uniformly.
    directions : int
        Directions to project on; rounded up to whole orthonormal blocks.
    permutations : int
        Relabellings behind the p-value, the smallest of which is ``1 / (permutations + 1)``. With 0
        there is neither p-value nor interval.
    memory_mb : int
        Memory budget in MB, inputs excluded.
    classifier : bool
        Whether to train a classifier that tells the sides apart, which takes some seconds.
    seed : int
    engine : Engine or SparkAccess, optional
        Where the datasets are opened: by default on this machine, with a `SparkAccess` on a
        cluster, from which samples, counts and histograms come here.

    Returns
    -------
    DistanceReport

    Raises
    ------
    DataError, ConfigError
        The datasets cannot be compared, or an option is wrong.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> real = pd.DataFrame({"x": rng.normal(0.0, 1.0, 5000)})
    >>> synthetic = pd.DataFrame({"x": rng.normal(0.5, 1.0, 5000)})
    >>> report = measure_distance(real, synthetic)
    >>> round(report.gap, 1), report.p_value
    (0.5, 0.005)
    """
    target = None if target is None else str(target)
    columns = Columns(
        categorical=listed(categorical),
        ignore=listed(ignore),
        key=listed(key),
        weights=weights or {},
        scaling=scaling,
        groups=groups,
        embed=embed or {},
    )
    options = DistanceOptions(
        method=method,
        p=p,
        rows=rows,
        sample_rows=sample_rows,
        directions=directions,
        permutations=permutations,
        memory_mb=memory_mb,
        classifier=classifier,
        seed=seed,
    )
    pair = open_pair(real, synthetic, columns, target, engine)
    if target is not None:
        shared_columns(pair[0].columns, pair[1].columns, [*columns.left_out, target])
        columns = _with_levels(columns, target, task)
    max_rows = [min(dataset.rows, sample_rows) for dataset in pair]
    samples = draw_samples(pair, max_rows, seed, columns, target, cut=True)
    if target is not None and task is not None:
        # Whether the target can be learnt is worth knowing before a ratio is asked for.
        TargetCode.fit(samples.labels[0], target, task)
    require_pair(*pair)
    with one_thread(estimators=False):
        report = measure(
            *samples.frames,
            columns=columns,
            options=options,
            target=target,
            every_row=(_every_row(pair[0]), _every_row(pair[1])) if rows == "all" else None,
            fold_seed=digest(salted(seed, [dataset.fingerprint for dataset in pair]), 60),
            notes=(*samples.notes, *notes_of(pair)),
        )
    used = [column.column for column in report.columns]
    return replace(
        report,
        inputs=_fingerprints(*pair),
        profile=Profile.of(samples.tables[1], used, target if target in used else None),
    )


def _every_row(dataset: Dataset) -> EveryRow:
    """All rows: here in batches, or where they lie."""
    source = dataset.source
    return source if is_remote(source) else dataset.batches


def recommend_ratio(
    real: IntoDataset,
    synthetic: IntoDataset,
    *,
    target: Name,
    task: Task,
    categorical: Names = None,
    ignore: Names = None,
    key: Names = None,
    weights: Mapping[str, float] | None = None,
    scaling: Scaling = Columns.scaling,
    embed: Mapping[str, str] | None = None,
    evaluation: IntoDataset | None = None,
    evaluation_column: str | None = None,
    generator: Generator | None = None,
    generator_saw_real: bool | None = RatioOptions.generator_saw_real,
    learner: Learner = RatioOptions.learner,
    estimator: Any = RatioOptions.estimator,
    max_ratio: float | None = RatioOptions.max_ratio,
    rule: Rule = RatioOptions.rule,
    flat_curve: FlatCurve | None = RatioOptions.flat_curve,
    scoring: Scoring | None = RatioOptions.scoring,
    positive_class: str | None = RatioOptions.positive_class,
    class_weight: ClassWeight | None = RatioOptions.class_weight,
    sample_rows: int = RatioOptions.sample_rows,
    distance: DistanceReport | None = None,
    experience: Experience | str | None = RatioOptions.experience,
    seed: int = RatioOptions.seed,
    engine: IntoEngine = None,
) -> Recommendation:
    """Recommend how many synthetic rows to add for each real one.

    Parameters
    ----------
    real, synthetic : path, DataFrame or Arrow table
    target : str
        Label column.
    task : str
        ``regression`` or ``classification``.
    categorical, ignore, key, weights, scaling, embed : see `measure_distance`
    evaluation : path, DataFrame or Arrow table, optional
        Real rows, not in `real`, that the generator never saw. They judge the risk; without them
        each real row is judged by a fit that leaves it out. `split_evaluation` puts some aside.
    evaluation_column : str, optional
        Boolean column of `real` that marks the evaluation rows, in the place of `evaluation`.
    generator : object with ``fit(frame)`` and ``sample(rows)``, optional
        What made the synthetic rows. It is fitted again without each fifth of the real rows, which
        that fifth then judges; what it had learnt before is lost.
    generator_saw_real : bool, optional
        Whether the generator was fitted on `real`. If so, and without any of the three above, the
        predicted risk is worthless and a safe ratio is recommended.
    learner : {"kernel", "linear", "trees"}
        Whose risk is predicted: kernel ridge regression, linear ridge regression, or a small
        gradient boosting, fitted to a few mixes.
    estimator : scikit-learn estimator or str, optional
        Your learner itself, in the place of `learner`. It gets the columns as they are. As a text
        it is ``module:object`` of one, or of a callable that returns one.
    max_ratio : float, optional
        Highest ratio to consider; by default as many rows as there are.
    rule : {"posterior", "path", "largest_equivalent", "best", "smallest_equivalent"}
        ``posterior`` takes the lowest risk that these rows and the experience of other datasets
        together predict; it applies to ``kernel`` and ``trees`` and their plain risks, others use
        ``path``. The rest look at these rows alone: ``path`` takes the most synthetic rows within
        half a standard error of the lowest risk (``largest_equivalent`` is its earlier name),
        ``best`` the lowest risk itself, ``smallest_equivalent`` the fewest rows statistically
        indistinguishable from the best.
    flat_curve : {"none", "rows"}, optional
        What to recommend where synthetic rows make no measurable difference: ``none`` of them, the
        cheaper choice, or the ``rows`` with the lowest predicted error. Without it the
        recommendation names both, and ``undecided`` is true.
    scoring : str or callable, optional
        What the ratio is chosen by, for ``trees`` and an estimator: a scikit-learn scorer, by name
        (``roc_auc``, ``average_precision``, ``f1_macro``, ``r2``, ``neg_mean_absolute_error``) or
        as an object (``make_scorer(...)``), which sees labels and columns as they are here. By
        default the Brier score of classes, and the squared error of numbers.
    positive_class : str, optional
        Which of two classes a scorer that is named takes as the positive one, by default the last
        in sorted order.
    class_weight : {"balanced"}, optional
        Every class counts the same in fits and in the risk, however rare it is. For ``kernel``,
        ``linear`` and ``trees``; an estimator has its own, and its risk only is balanced. The
        experience of other datasets is of plain risks, so `rule` is ``path`` then.
    sample_rows : int
        Maximum number of real rows to learn the curve from, drawn uniformly, with the same fraction
        of the synthetic rows, so that ratios keep their meaning; of those at most five times as
        many.
    distance : DistanceReport, optional
        A distance measured before, of whose gap and conditional gap the bounds are made; without it
        the gap alone is measured.
    experience : Experience or path, optional
        What happened on other datasets, such as your own (`learn_from_pairs`), or the file of it,
        with the same learner; by default what the package comes with.
    seed : int
    engine : Engine or SparkAccess, optional
        Where `real` and `synthetic` are opened, see `measure_distance`; evaluation rows are read
        on this machine.

    Returns
    -------
    Recommendation

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> def draw(n):
    ...     x = rng.normal(size=n)
    ...     return pd.DataFrame({"x": x, "y": np.sin(2 * x) + rng.normal(0, 0.5, n)})
    >>> recommend_ratio(draw(50), draw(400), target="y", task="regression").ratio
    8.0
    """
    target = str(target)
    columns = Columns(
        *(listed(categorical), listed(ignore), listed(key), weights or {}, scaling),
        embed=embed or {},
    )
    options = RatioOptions(
        learner=learner,
        estimator=estimator if isinstance(estimator, str) else None,
        max_ratio=max_ratio,
        rule=rule,
        flat_curve=flat_curve,
        generator_saw_real=generator_saw_real,
        scoring=scoring,
        positive_class=positive_class,
        class_weight=class_weight,
        sample_rows=sample_rows,
        seed=seed,
    )
    pair = open_pair(real, synthetic, columns, target, engine)
    inputs = _fingerprints(*pair)
    judges = judges_of(pair[0], evaluation, evaluation_column)
    pair = judges.rest, pair[1]
    sizes = sizes_of(*pair, sample_rows)
    samples = draw_samples(pair, sizes.max_rows, seed, columns, target)
    code = TargetCode.fit(samples.labels[0], target, task)
    # Whatever was sampled, a mix cannot hold more rows than there are.
    available = pair[1].rows / pair[0].rows
    options = replace(
        options, max_ratio=available if max_ratio is None else min(max_ratio, available)
    )
    require_pair(*pair)
    with one_thread(estimators=estimator is not None or options.learner == "trees"):
        if distance is None:
            gap = measure_gap(
                *samples.frames,
                columns=_with_levels(columns, target, task),
                options=DistanceOptions(seed=seed),
            )
        else:
            gap = distance.gap
        recommendation = recommend(
            *samples.frames,
            code=code,
            gap=gap,
            columns=columns,
            options=options,
            shift_squared=_shift_squared(distance, task),
            evaluation=judges.frame,
            generator=generator,
            estimator=load_estimator(estimator) if isinstance(estimator, str) else estimator,
            experience=Experience.read(experience) if isinstance(experience, str) else experience,
            notes=(*samples.notes, *sizes.notes, *notes_of(pair)),
        )
    absent = _absent(pair, samples, columns, target if task == "classification" else None)
    return replace(
        recommendation,
        inputs=inputs,
        absent=absent,
        reason=f"{headline_on_absent(absent)}{recommendation.reason}",
    )


def _absent(
    pair: tuple[Dataset, Dataset], samples: Samples, columns: Columns, labels: str | None
) -> tuple[str, ...]:
    """Classes and levels that the synthetic sample lacks, beyond chance."""
    drawn = [
        replace(dataset, source=table, files=())
        for dataset, table in zip(pair, samples.tables, strict=True)
    ]
    categorical = [*columns.categorical, *([] if labels is None else [labels])]
    # Free text has no levels.
    others = [*columns.left_out, *columns.embed]
    return absent_levels(drawn[0], drawn[1], categorical, others)


def _fingerprints(*datasets: Dataset) -> dict[str, str]:
    """What a result belongs to, by content: another pair of datasets is told from this one."""
    return {dataset.name: dataset.fingerprint for dataset in datasets}


def _with_levels(columns: Columns, target: str, task: Task | None) -> Columns:
    """The columns of a distance, in which classes are categories even where they are numbers."""
    if task != "classification" or target in columns.categorical:
        return columns
    return replace(columns, categorical=(*columns.categorical, target))


def _shift_squared(distance: DistanceReport | None, task: Task) -> float | None:
    """The conditional gap as a square in the units of the risk, where it was measured in them."""
    if distance is None or distance.conditional_gap is None:
        return None
    square = distance.conditional_gap * abs(distance.conditional_gap)
    if task == "classification":
        # Two different classes are one unit apart there and sqrt(2) in a Brier score.
        return 2 * square
    return square if distance.scaling == "standard" else None
