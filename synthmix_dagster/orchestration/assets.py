"""The assets of a mix as Dagster sees them: their specifications, and how a step is run.

A step materialises its asset and then judges the checks of it. A selection of the checks alone runs
the step without materialising: they judge what was stored.

`Mix` can be subclassed: `get_asset_spec` says what an asset looks like, `execute` what
materialises it. What the steps do is in `steps`, which is imported when one of them runs: defining
assets needs no engine.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import dagster as dg

from synthmix_dagster.errors import SynthMixError
from synthmix_dagster.orchestration.checks import check_specs, thresholds_of
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.config.run import RUN_CONFIGS, GateRun, overrides
from synthmix_dagster.orchestration.failures import at_the_edge, without_secrets_in_errors
from synthmix_dagster.orchestration.input_errors import explaining
from synthmix_dagster.orchestration.op_options import config_schema_of, op_options
from synthmix_dagster.orchestration.outcome import CODE_VERSION, Inputs, Outcome
from synthmix_dagster.orchestration.partitions import frames_of, partitions_of, require_apart

_DESCRIPTIONS = {
    "real": "Real rows, read from files or a query. The fingerprint guarantees that the rows "
    "released are the rows measured.",
    "generator_input": "Real rows to fit the generator on, without the evaluation rows.",
    "synthetic": "Synthetic rows, identified by a fingerprint.",
    "other": "Real rows of another domain, identified by a fingerprint.",
    "distribution_distance": "Distance between synthetic and real rows: debiased Wasserstein gap "
    "in real standard deviations, its floor and its p-value.",
    "optimal_ratio": "Synthetic rows to add for each real row: predicted test risk at every ratio, "
    "and the recommended ratio.",
    "training_data": "The training set: every real row once and exactly the recommended number of "
    "synthetic rows, published as an immutable release once the gap is within its threshold.",
    "published_table": "The release as a table of a warehouse, written whole or not at all.",
}

#: Upstream assets of each asset, where the mix has them.
_UPSTREAM = {
    "real": (),
    "generator_input": ("real",),
    "synthetic": (),
    "distribution_distance": ("real", "synthetic"),
    "optimal_ratio": ("real", "synthetic", "distribution_distance"),
    "training_data": ("real", "synthetic", "distribution_distance", "optimal_ratio"),
    "published_table": ("training_data",),
}

_KINDS = {"training_data": {"parquet"}, "published_table": {"table"}}

#: Assets that wait for the gate when they are materialised by a condition.
_GATED = ("optimal_ratio", "training_data", "published_table")


class Mix(MixConfig):
    """A mix with its assets; the base of both front doors."""

    def get_asset_spec(self, role: str) -> dg.AssetSpec:
        """Specification of one asset of the mix. Override it to change how assets appear.

        Parameters
        ----------
        role : str
            ``real``, ``generator_input``, ``synthetic``, ``distribution_distance``,
            ``optimal_ratio``, ``training_data`` or ``published_table``. With several generators
            ``synthetic/<name>`` and ``distribution_distance/<name>``, and ``other`` for the rows of
            another domain.
        """
        base, *_ = parts = role.split("/")
        condition = self.automation_condition
        if condition is not None and role in _GATED:
            condition &= dg.AutomationCondition.all_deps_blocking_checks_passed()
        spec = dg.AssetSpec(
            [*self.key_prefix, self.name, *parts],
            description=_DESCRIPTIONS[base],
            group_name=self.group_name or self.name,
            owners=list(self.owners),
            tags=dict(self.tags),
            kinds=_KINDS.get(role, {"python"}),
            code_version=CODE_VERSION,
            partitions_def=self.partitions_def,
            automation_condition=condition,
            freshness_policy=self.freshness_policy if role == "training_data" else None,
        )
        return spec if self.translation is None else self.translation(spec, role)

    def execute(
        self, role: str, context: dg.AssetExecutionContext, frames: Mapping[str, Any]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        """Materialise one asset, in every partition of the run. Override it to add to a step.

        Parameters
        ----------
        role : str
        context : AssetExecutionContext
        frames : mapping of str to object
            Datasets that are assets, as their I/O managers loaded them.

        Raises
        ------
        Failure
            Settings, data or stored files are invalid, or a gate forbids a release. Other
            partitions of the run are materialised nevertheless.
        """
        from synthmix_dagster.orchestration.steps import STEPS

        step, schema = STEPS[role], RUN_CONFIGS.get(role)
        with at_the_edge():
            config = context.op_execution_context.op_config
            options = {} if schema is None else overrides(schema, config)
        resources = {name: getattr(context.resources, name) for name in self._resources(role)}
        partitions = partitions_of(context)
        if len(partitions) == 1:
            with at_the_edge():
                outcome = step(self.at(partitions[0]), Inputs(frames, options, resources))
            _log_warning(context, outcome)
            yield _result(self.asset_key(role), outcome)
            return
        with at_the_edge():
            require_apart(context, frames, {name: self.dataset(name) for name in frames})

        def materialise(partition: str) -> Outcome:
            own = frames_of(frames, partition, partitions)
            return step(self.at(partition), Inputs(own, options, resources))

        yield _materialise_each(context, self.asset_key(role), map(str, partitions), materialise)

    def _resources(self, role: str) -> list[str]:
        if role == "synthetic":
            key = self.dataset("synthetic").generator
        else:
            key = self.sign if role == "training_data" else None
        return [*([] if key is None else [key]), *self.connections(role)]


def _step(context: dg.AssetExecutionContext, **frames: Any) -> Any: ...


#: Of the function of every step. Dagster asks for it sixteen times a step as a project loads.
_SIGNATURE = inspect.signature(_step)


def build_assets(mix: Mix) -> list[dg.AssetsDefinition]:
    """Build the assets of one mix.

    Parameters
    ----------
    mix : Mix

    Returns
    -------
    list of AssetsDefinition
        Without ``real`` and ``synthetic`` where these are existing assets.
    """
    # Every generator has assets of its own, made by settings for it alone.
    every = [mix, *mix.views.values()] if mix.is_whole else [mix]
    return [_asset(each, role) for each in every for role in each.own_roles]


def _asset(mix: Mix, role: str) -> dg.AssetsDefinition:
    spec = mix.asset_spec(role)
    checks = check_specs(mix, role)

    def compute(context: dg.AssetExecutionContext, **frames: Any) -> Any:
        with at_the_edge():
            thresholds = overrides(GateRun, context.op_execution_context.op_config)
        if spec.key in context.selected_asset_keys:
            yield from mix.execute(role, context, frames)
        if checks:
            from synthmix_dagster.orchestration.check_steps import judge_checks

            yield from judge_checks(mix, role, context, thresholds)

    compute.__signature__ = _SIGNATURE  # type: ignore[attr-defined]
    if "dagster/io_manager_key" not in spec.metadata:
        # Without the name of an I/O manager Dagster takes an asset to have no value.
        own = role != "generator_input"
        spec = spec.with_io_manager_key(mix.used_io_manager_key if own else "io_manager")
    ins, deps = _inputs(mix, role)
    # A translation may state dependencies; what is loaded must be among them.
    stated = {dep.asset_key for dep in spec.deps}
    needed = [dep for dep in deps if dep.asset_key in {i.key for i in ins.values()}]
    missing = [dep for dep in (needed if spec.deps else deps) if dep.asset_key not in stated]
    spec = spec.replace_attributes(deps=[*spec.deps, *missing])
    policy = mix.op.backfill_policy
    return dg.multi_asset(
        name="__".join(spec.key.path),
        specs=[spec],
        check_specs=checks,
        # So that the checks can be selected alone.
        can_subset=bool(checks),
        ins=ins,
        hooks=explaining(ins),
        config_schema=config_schema_of(RUN_CONFIGS.get(role), thresholds_of(mix, role)),
        required_resource_keys={*mix._resources(role), *mix.shared_resources},
        backfill_policy=None if policy is None else policy.policy,
        partitions_def=spec.partitions_def,
        **op_options(mix.op),
    )(compute)


def _inputs(mix: Mix, role: str) -> tuple[dict[str, dg.AssetIn], list[dg.AssetDep]]:
    """Load datasets that are assets through their own I/O managers; depend on all others."""
    views = mix.views if mix.is_whole else {}
    upstream = _UPSTREAM[role]
    datasets = [name for name in upstream if name in ("real", "synthetic")]
    if role == "synthetic":
        datasets = [] if mix.dataset("synthetic").generator is None else ["real"]
    of_generators = [name for name in upstream if name in ("synthetic", "distribution_distance")]
    if views:
        upstream = tuple(name for name in upstream if name not in of_generators)
        datasets = [name for name in datasets if name not in of_generators]
    # The release makes sure that the recommendation was judged by these very rows.
    if role in ("optimal_ratio", "training_data") and mix.evaluation is not None:
        datasets.append("evaluation")
    ins: dict[str, dg.AssetIn] = {}
    deps = [dg.AssetDep(mix.asset_key(name)) for name in upstream if name not in datasets]
    for name, view in views.items():
        source = view.dataset("synthetic")
        if "synthetic" in of_generators and source.asset is not None:
            ins[name] = dg.AssetIn(source.asset)
        deps += [
            source.dependency
            if each == "synthetic" and source.dependency is not None
            else dg.AssetDep(view.asset_key(each))
            for each in of_generators
        ]
    if role in ("real", "synthetic"):
        deps += [dg.AssetDep(key) for key in mix.dataset(role).deps]
    if role == mix.evaluation_role:
        # One asset may be upstream of both.
        known = {dep.asset_key for dep in deps}
        deps += [dg.AssetDep(key) for key in mix.dataset("evaluation").deps if key not in known]
    for name in datasets:
        source = mix.dataset(name)
        if source.asset is not None:
            ins[name] = dg.AssetIn(source.asset)
            deps.append(source.dependency or dg.AssetDep(source.asset))
        elif name == "evaluation":
            deps += [dg.AssetDep(key) for key in source.deps]
        else:
            deps.append(dg.AssetDep(mix.asset_key(name)))
    return ins, deps


def _materialise_each(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    partitions: Iterable[str],
    materialise: Callable[[str], Outcome],
) -> dg.MaterializeResult[Any]:
    """Materialise an asset in several partitions; those that fail do not keep the others."""
    outcomes: dict[str, Outcome] = {}
    failures: dict[str, SynthMixError] = {}
    for partition in partitions:
        try:
            with without_secrets_in_errors():
                outcomes[partition] = materialise(partition)
        except SynthMixError as error:
            failures[partition] = error
    for partition, outcome in outcomes.items():
        _log_warning(context, outcome)
        metadata = dict(outcome.metadata)
        if failures:
            # The step has no output, so its materialisations are reported one by one.
            context.log_event(dg.AssetMaterialization(key, metadata=metadata, partition=partition))
        else:
            context.add_asset_metadata(metadata, asset_key=key, partition_key=partition)
    if failures:
        reasons = "\n".join(f"- {partition}: {error}" for partition, error in failures.items())
        raise dg.Failure(
            f"{len(failures)} of {len(outcomes) + len(failures)} partitions failed:\n{reasons}",
            allow_retries=False,
        )
    values = {partition: outcome.value for partition, outcome in outcomes.items()}
    stored = any(value is not None for value in values.values())
    return (
        dg.MaterializeResult(asset_key=key, value=values) if stored else dg.MaterializeResult(key)
    )


def _result(key: dg.AssetKey, outcome: Outcome) -> dg.MaterializeResult[Any]:
    version = None if outcome.data_version is None else dg.DataVersion(outcome.data_version)
    result: dict[str, Any] = {"metadata": dict(outcome.metadata), "data_version": version}
    if outcome.value is not None:
        result["value"] = outcome.value
    return dg.MaterializeResult(asset_key=key, **result)


def _log_warning(context: dg.AssetExecutionContext, outcome: Outcome) -> None:
    if outcome.warning is not None:
        context.log.warning(outcome.warning)
