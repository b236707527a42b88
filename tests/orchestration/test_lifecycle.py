"""Any sequence of good days, bad days, faults and steps alone: what a reader finds stays whole.

A machine of hypothesis draws the sequences. Whatever it does, the last good release is there and
verifies, and no release holds a row that a gate refused.
"""

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from mix_runs import run
from scenario import rows, write_inputs

from synthmix_dagster import Release, load_release, verify_release
from synthmix_dagster.data.local_store import LocalDraft, LocalPlace, LocalStore
from synthmix_dagster.data.object_store import ObjectStore
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.errors import ReleaseError

pytestmark = pytest.mark.slow

#: How far rows of a bad day lie off; a good row does not get there.
SHIFT = 9.0
WRITES = [
    (LocalStore, "put"),
    (LocalStore, "create"),
    (LocalStore, "swap"),
    (LocalDraft, "show"),
    (LocalPlace, "point"),
    (ObjectStore, "put"),
    (ObjectStore, "create"),
    (ObjectStore, "swap"),
]


@contextmanager
def failing_after(count: int) -> Iterator[None]:
    """Let so many writes through, and fail all others."""
    left = [count]

    def guarded(write: Callable[..., Any]) -> Callable[..., Any]:
        def guard(*arguments: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(28, "No space left on device")
            return write(*arguments, **options)

        return guard

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in WRITES:
            patch.setattr(owner, name, guarded(getattr(owner, name)))
        yield


class Lifecycle(RuleBasedStateMachine):
    """One mix on a local disk."""

    def output_root(self) -> str:
        return str(self.folder / "mixes")

    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        self.folder = Path(tempfile.mkdtemp())
        self.instance = self.stack.enter_context(dg.DagsterInstance.ephemeral())
        self.options = write_inputs(self.folder) | {
            "output_root": self.output_root(),
            "permutations": 0,
            "directions": 5,
            "max_ratio": 1.0,
            "keep_releases": 2,
        }
        self.latest: Release | None = None
        # The days of the rows that were ingested and measured; None where a fault hides them.
        self.day, self.ingested, self.measured = 0, -1, -1
        self.is_good = True

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()
            shutil.rmtree(self.folder)

    @rule(is_good=st.booleans())
    def a_day_comes(self, is_good: bool) -> None:
        self.day += 1
        self.is_good = is_good
        made = rows(300, seed=self.day, shift=0.0 if is_good else SHIFT)
        made.to_parquet(self.folder / "synthetic.parquet")

    @rule()
    def everything_is_materialised(self) -> None:
        result = run(self.options, self.instance)
        assert result.success == self.is_good
        self.ingested, self.measured = self.day, self.day
        self._if_released(result)

    @rule(writes=st.integers(0, 40))
    def writing_fails(self, writes: int) -> None:
        with failing_after(writes):
            result = run(self.options, self.instance)
        if result.success:
            assert self.is_good
            self.ingested, self.measured = self.day, self.day
            self._if_released(result)
        else:
            # Which step was reached is not known, and neither is what it left.
            self.ingested, self.measured = None, None
            self.latest = self._found() if self.is_good else self.latest

    @rule()
    def the_release_step_runs_alone(self) -> None:
        result = run(self.options, self.instance, "training_data")
        if self.measured is not None:
            assert result.success == (self.is_good and self.measured == self.day)
        self._if_released(result)

    @precondition(lambda self: self.latest is not None)
    @rule()
    def the_measurement_runs_alone(self) -> None:
        result = run(self.options, self.instance, "distribution_distance")
        if self.ingested is not None:
            assert result.success == (self.is_good and self.ingested == self.day)
        self.measured = None

    @invariant()
    def what_a_reader_finds_is_whole_and_good(self) -> None:
        if not hasattr(self, "options"):
            return
        found = self._found()
        if self.latest is None:
            return
        assert found is not None, "the last good release is gone"
        assert verify_release(f"{self.output_root()}/demo").release_id == found.release_id
        assert found.release_id == self.latest.release_id
        for release in self._whole():
            assert release.to_pandas()["x"].max() < SHIFT / 2

    def _if_released(self, result: dg.ExecuteInProcessResult) -> None:
        if result.success:
            self.latest = self._found()
            assert self.latest is not None

    def _found(self) -> Release | None:
        try:
            return load_release(f"{self.output_root()}/demo")
        except ReleaseError:
            return None

    def _whole(self) -> Iterator[Release]:
        releases = open_store(f"{self.output_root()}/demo/releases")
        for name in releases.folders():
            try:
                yield load_release(releases.below(name))
            except ReleaseError as error:
                assert "manifest" in str(error) or "removed" in str(error)  # noqa: PT017


class LifecycleInAStore(Lifecycle):
    """The same mix in an object store."""

    def output_root(self) -> str:
        if not hasattr(self, "uri"):
            self.uri = f"memory://{uuid.uuid4().hex}/mixes"
        return self.uri


TestOnADisk = Lifecycle.TestCase
TestInAStore = LifecycleInAStore.TestCase
TestOnADisk.settings = TestInAStore.settings = settings(
    max_examples=5,
    stateful_step_count=10,
    derandomize=True,
    deadline=None,
    # A sequence takes seconds: what failed is told as it was drawn.
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
