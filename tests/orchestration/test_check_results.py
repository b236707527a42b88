"""Several partitions judged as one."""

import pytest

from synthmix_dagster.errors import DataError
from synthmix_dagster.gates.verdicts import Verdict
from synthmix_dagster.orchestration.check_results import Judged, judge_partitions

PASSED, WARNED = Verdict(True, "Fine."), Verdict(False, "Hm.", "WARN")
FAILED = Verdict(False, "Bad.")


def judged(verdicts, *, judged_again):
    found = judge_partitions(
        ["gate"],
        list(verdicts),
        {},
        lambda partition, _: {"gate": Judged(verdicts[partition])},
        judged_again=judged_again,
    )
    return found["gate"].verdict


@pytest.mark.parametrize(
    ("verdicts", "again", "once"),
    [
        ({"a": PASSED, "b": FAILED}, "WARN", "ERROR"),
        ({"a": WARNED, "b": FAILED}, "WARN", "ERROR"),
        ({"a": FAILED, "b": FAILED}, "ERROR", "ERROR"),
        ({"a": PASSED, "b": WARNED}, "WARN", "WARN"),
    ],
)
def test_some_bad_partitions_stop_a_run_unless_they_are_refused_later(verdicts, again, once):
    for judged_again, severity in ((True, again), (False, once)):
        verdict = judged(verdicts, judged_again=judged_again)
        assert not verdict.passed
        assert verdict.severity == severity
        assert "of 2 partitions fail" in verdict.sentence


def test_all_good_partitions_pass():
    assert judged({"a": PASSED, "b": PASSED}, judged_again=False).passed


def test_one_that_cannot_be_judged_keeps_no_other_from_it():
    def judge(partition, _):
        if partition == "a":
            raise DataError("it is empty", dataset="real", fix="Fill it")
        return {"gate": Judged(PASSED)}

    verdict = judge_partitions(["gate"], ["a", "b"], {}, judge, judged_again=False)["gate"].verdict
    assert verdict.severity == "ERROR"
    assert "1 of 2 partitions fail. a: dataset 'real': it is empty" in verdict.sentence
