"""Which rows judge, in the order in which that is decided, and what each case allows."""

import pytest

from synthmix_dagster.ratio.memorisation import Memorisation
from synthmix_dagster.ratio.provenance import provenance_of

CLEAN = Memorisation(0, 0.0, 0.5, 1.0, 1.0, False, "Nothing shows it.")
COPIED = Memorisation(9, 0.0, 0.1, 0.2, 0.004, True, "They were made from these rows.")


@pytest.mark.parametrize(
    ("evaluation", "cross_fitted", "saw", "test", "judged", "trusted"),
    [
        (200, False, True, COPIED, "evaluation", True),
        (None, True, True, COPIED, "cross-fitted", True),
        (None, False, True, CLEAN, "seen", False),
        (None, False, None, COPIED, "found", False),
        (None, False, False, COPIED, "found", False),
        (None, False, None, CLEAN, "unknown", True),
        (None, False, False, CLEAN, "unseen", True),
    ],
)
def test_the_first_case_that_applies_decides(evaluation, cross_fitted, saw, test, judged, trusted):
    found = provenance_of(
        evaluation_rows=evaluation, cross_fitted=cross_fitted, saw_real=saw, memorisation=test
    )
    assert (found.judged, found.trusted) == (judged, trusted)
    assert found.memorisation == test
    if not trusted or judged == "unknown":
        assert "'evaluation'" in found.sentence
