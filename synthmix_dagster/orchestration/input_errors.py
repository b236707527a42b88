"""What is said when an asset of the project has no value that its I/O manager could load.

Dagster loads inputs before a step of ours begins, so that its error cannot be another one. A hook
says what it means, in the log of the run right behind it.
"""

import traceback
from collections.abc import Mapping
from functools import cache

import dagster as dg

from synthmix_dagster.errors import InputError


@cache
def _hook(inputs: tuple[tuple[str, str], ...]) -> dg.HookDefinition:
    @dg.failure_hook(name="synthmix_explains_missing_inputs")
    def explain(context: dg.HookContext) -> None:
        error = context.op_exception
        if not isinstance(error, FileNotFoundError) or not _while_loading(error):
            return
        # The I/O manager of files spells the key in the path that it looks for.
        named = [each for each in inputs if str(error.filename or error).endswith(each[1])]
        for name, asset in named or inputs:
            context.log.error(str(no_value(asset, name)))

    return explain


def _while_loading(error: BaseException) -> bool:
    """Whether an I/O manager raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(frame.name == "load_input" for frame in frames)


def explaining(ins: Mapping[str, dg.AssetIn]) -> set[dg.HookDefinition]:
    """The hook of a step that loads assets of the project.

    Parameters
    ----------
    ins : mapping of str to AssetIn
    """
    if not ins:
        return set()
    named = ((name, dg.AssetKey.from_coercible(i.key).to_user_string()) for name, i in ins.items())  # type: ignore[arg-type]
    return {_hook(tuple(named))}


def no_value(asset: str, dataset: str) -> InputError:
    """The error of an asset without a value, as a dbt model has none."""
    table = asset.split("/")[-1]
    return InputError(
        "its I/O manager finds no value of it; a dbt model, for one, has none",
        asset=asset,
        fix=f"Name its table, as {dataset}: {{table: main.{table}, connection: a resource, deps: "
        f"[{asset}]}}, or its files with 'path'; or give it an I/O manager that stores its value",
    )
