"""The assets of a mix as Dagster sees them: their specifications, and how a step is run.

`Mix` can be subclassed: `get_asset_spec` says what an asset looks like, `execute` what
materialises it. What the steps do is in `steps`.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import dagster as dg

from synthmix_dagster.errors import SynthMixError
from synthmix_dagster.orchestration.config.mix import MixConfig
from synthmix_dagster.orchestration.config.run import RUN_CONFIGS, overrides
from synthmix_dagster.orchestration.failures import at_the_edge
from synthmix_dagster.orchestration.partitions import frames_of, partitions_of, require_apart
from synthmix_dagster.orchestration.steps import CODE_VERSION, STEPS, Inputs, Outcome

_DESCRIPTIONS = {
    "real": "Real rows, read from files. Recorded with a fingerprint, so that what is measured "
    "and what is released are known to be the same rows.",
    "generator_input": "Real rows to fit the generator on. The evaluation rows are not among them, "
    "so that they can judge what it makes.",
    "synthetic": "Generated rows, recorded with a fingerprint.",
    "distribution_distance": "How far the generated rows are from the real ones: debiased "
    "Wasserstein gap in real standard deviations, its floor and its p-value.",
    "optimal_ratio": "How many generated rows to add for each real one: predicted test risk at "
    "every ratio, and the recommended one.",
    "training_data": "The training set: every real row once and exactly the recommended number "
    "of generated ones, published as an immutable release once the gap is within its threshold.",
}

#: Own assets that each asset follows, where the mix has them.
_UPSTREAM = {
    "real": (),
    "generator_input": ("real",),
    "synthetic": (),
    "distribution_distance": ("real", "synthetic"),
    "optimal_ratio": ("real", "synthetic", "distribution_distance"),
    "training_data": ("real", "synthetic", "distribution_distance", "optimal_ratio"),
}

#: Assets that wait for the gate when they are materialised by a condition.
_GATED = ("optimal_ratio", "training_data")


class Mix(MixConfig):
    """A mix with its assets; the base of both front doors."""

    def get_asset_spec(self, role: str) -> dg.AssetSpec:
        """Specification of one asset of the mix. Override it to change how assets appear.

        Parameters
        ----------
        role : str
            ``real``, ``generator_input``, ``synthetic``, ``distribution_distance``,
            ``optimal_ratio`` or ``training_data``.
        """
        condition = self.automation_condition
        if condition is not None and role in _GATED:
            condition &= dg.AutomationCondition.all_deps_blocking_checks_passed()
        spec = dg.AssetSpec(
            [*self.key_prefix, self.name, role],
            description=_DESCRIPTIONS[role],
            group_name=self.group_name or self.name,
            owners=list(self.owners),
            tags=dict(self.tags),
            kinds={"parquet"} if role == "training_data" else {"python"},
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
            Something is wrong with the settings, the data or what is on disk, or a gate forbids a
            release. Other partitions of the run are materialised nevertheless.
        """
        key = self.asset_key(role)
        schema = RUN_CONFIGS.get(role)
        with at_the_edge():
            config = context.op_execution_context.op_config
            said = {} if schema is None else overrides(schema, config)
        resources = {name: getattr(context.resources, name) for name in self._resources(role)}
        partitions = partitions_of(context)
        if len(partitions) == 1:
            with at_the_edge():
                outcome = STEPS[role](self.at(partitions[0]), Inputs(frames, said, resources))
            _say(context, outcome)
            yield _result(key, outcome)
            return
        with at_the_edge():
            require_apart(context, frames, {name: self.dataset(name) for name in frames})
        given = {
            str(partition): partial(frames_of, frames, partition, partitions)
            for partition in partitions
        }
        yield from self._execute_each(role, context, given, said, resources)

    def _execute_each(
        self,
        role: str,
        context: dg.AssetExecutionContext,
        given: Mapping[str, Callable[[], Mapping[str, Any]]],
        said: Mapping[str, Any],
        resources: Mapping[str, Any],
    ) -> Iterator[dg.MaterializeResult[Any]]:
        """Materialise one asset in several partitions; those that fail do not keep the others."""
        key = self.asset_key(role)
        done: dict[str, Outcome] = {}
        failed: dict[str, SynthMixError] = {}
        for partition, frames in given.items():
            try:
                inputs = Inputs(frames(), said, resources)
                done[partition] = STEPS[role](self.at(partition), inputs)
            except SynthMixError as error:
                failed[partition] = error
        for partition, outcome in done.items():
            _say(context, outcome)
            found = dict(outcome.metadata)
            if failed:
                # The step has no output, so that what it did is reported one by one.
                event = dg.AssetMaterialization(key, metadata=found, partition=partition)
                context.log_event(event)
            else:
                context.add_asset_metadata(found, asset_key=key, partition_key=partition)
        if failed:
            reasons = "\n".join(f"- {partition}: {error}" for partition, error in failed.items())
            raise dg.Failure(
                f"{len(failed)} of {len(given)} partitions failed:\n{reasons}",
                allow_retries=False,
            )
        yield dg.MaterializeResult(asset_key=key)

    def _resources(self, role: str) -> list[str]:
        generator = self.synthetic.generator
        return [generator] if role == "synthetic" and generator is not None else []


def build_assets(mix: Mix) -> list[dg.AssetsDefinition]:
    """Build the assets of one mix.

    Parameters
    ----------
    mix : Mix

    Returns
    -------
    list of AssetsDefinition
        ``real`` and ``synthetic`` only where they are no assets of somebody else's.
    """
    return [_asset(mix, role) for role in mix.own_roles]


def _asset(mix: Mix, role: str) -> dg.AssetsDefinition:
    def compute(context: dg.AssetExecutionContext, **frames: Any) -> Any:
        yield from mix.execute(role, context, frames)

    spec = mix.get_asset_spec(role)
    if role == "generator_input" and "dagster/io_manager_key" not in spec.metadata:
        # What names no I/O manager has no value, as Dagster sees it.
        spec = spec.with_io_manager_key("io_manager")
    ins, deps = _inputs(mix, role)
    # A translation may say what an asset depends on; what is loaded has to be among it.
    stated = {dep.asset_key for dep in spec.deps}
    needed = [dep for dep in deps if dep.asset_key in {i.key for i in ins.values()}]
    missing = [dep for dep in (needed if spec.deps else deps) if dep.asset_key not in stated]
    spec = spec.replace_attributes(deps=[*spec.deps, *missing])
    schema, op = RUN_CONFIGS.get(role), mix.op
    return dg.multi_asset(
        name="__".join(spec.key.path),
        specs=[spec],
        ins=ins,
        config_schema=None if schema is None else schema.to_fields_dict(),
        required_resource_keys=set(mix._resources(role)),
        op_tags=dict(op.tags),
        pool=op.pool,
        retry_policy=None if op.retry is None else op.retry.policy,
        backfill_policy=None if op.backfill_policy is None else op.backfill_policy.policy,
        partitions_def=spec.partitions_def,
    )(compute)


def _inputs(mix: Mix, role: str) -> tuple[dict[str, dg.AssetIn], list[dg.AssetDep]]:
    """Load datasets that are assets through their own I/O managers; depend on all others."""
    datasets = [name for name in _UPSTREAM[role] if name in ("real", "synthetic")]
    if role == "synthetic":
        datasets = [] if mix.synthetic.generator is None else ["real"]
    if role == "optimal_ratio" and mix.evaluation is not None:
        datasets.append("evaluation")
    ins = {}
    deps = [dg.AssetDep(mix.asset_key(name)) for name in _UPSTREAM[role] if name not in datasets]
    if role in ("real", "synthetic"):
        deps += [dg.AssetDep(key) for key in mix.dataset(role).deps]
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


def _result(key: dg.AssetKey, outcome: Outcome) -> dg.MaterializeResult[Any]:
    version = None if outcome.data_version is None else dg.DataVersion(outcome.data_version)
    result: dict[str, Any] = {"metadata": dict(outcome.metadata), "data_version": version}
    if outcome.value is not None:
        result["value"] = outcome.value
    return dg.MaterializeResult(asset_key=key, **result)


def _say(context: dg.AssetExecutionContext, outcome: Outcome) -> None:
    if outcome.warning is not None:
        context.log.warning(outcome.warning)
