from dataclasses import replace

import pytest

from synthmix_dagster.drift.history import Batch, Observation, in_order, select


def batch(
    day: int,
    *,
    time: float | None = None,
    square: float | None = 0.1,
    rows: int = 100,
    terms: dict[str, str] | None = None,
    fingerprint: str | None = None,
    **options: object,
) -> Batch:
    seen = Observation(
        square,
        rows,
        fingerprint or f"rows {day} {time}",
        {"version": "1"} if terms is None else terms,
        **options,  # type: ignore[arg-type]
    )
    at = float(day) if time is None else time
    return Batch(f"day {day}", f"day {day}", f"day {day}", day, at, "1", {"gap": seen})


def days(batches: tuple[Batch, ...]) -> list[int]:
    return [one.position for one in batches]


def test_order_is_by_partition_whenever_it_arrived() -> None:
    arrived = [batch(3, time=1), batch(1, time=2), batch(2, time=3)]
    assert [one.position for one in in_order(arrived)] == [1, 2, 3]


def test_without_partitions_order_is_by_time() -> None:
    runs = [
        replace(batch(day, time=10 - day), partition=None, position=0, key=f"run {day}")
        for day in range(3)
    ]
    assert [one.key for one in in_order(runs)] == ["run 2", "run 1", "run 0"]


def test_a_partition_that_was_materialised_again_counts_as_it_was_last() -> None:
    found = select([batch(1, time=9, square=0.5), batch(1, time=1), batch(2)], "gap", "batch")
    assert days(found.batches) == [1, 2]
    assert found.batches[0].series["gap"].square == 0.5


def test_only_what_was_measured_on_the_terms_of_the_latest_is_compared() -> None:
    old = [batch(day, terms={"version": "1", "reference": "a"}) for day in range(4)]
    new = [batch(day, terms={"version": "2", "reference": "b"}) for day in range(4, 7)]
    found = select([*old, *new], "gap", "batch")
    assert days(found.batches) == [4, 5, 6]
    assert days(found.others) == [0, 1, 2, 3]
    (note,) = found.notes
    assert note == (
        "4 batches (day 0 to day 3) measured on other terms left out (version '1' to '2')"
    )


def test_a_backfill_with_a_new_version_speaks_for_the_new_version() -> None:
    old = [batch(day) for day in range(5)]
    again = [batch(day, time=10.0 + day, terms={"version": "2"}) for day in range(2)]
    assert days(select([*old, *again], "gap", "batch").batches) == [0, 1]


def test_the_same_rows_count_once_where_they_came_first() -> None:
    same = [batch(day, fingerprint="same") for day in (2, 3, 4)]
    found = select([batch(1), *same, batch(5)], "gap", "batch")
    assert days(found.batches) == [1, 2, 5]
    assert found.notes == (
        "2 batches (day 3 to day 4) with the same rows as an earlier one count once",
    )
    assert not found.problem


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"square": float("nan")}, "it is not a number"),
        ({"square": float("inf")}, "it is not a number"),
        ({"square": None, "problem": "no rows"}, "no rows"),
        ({"square": None}, "it is missing"),
        ({"blocks": (0.1, float("nan"))}, "it is not a number"),
    ],
)
def test_a_batch_without_a_score_is_left_out_and_a_problem_if_it_is_the_latest(
    options: dict[str, object], why: str
) -> None:
    others = [batch(day) for day in (1, 3)]
    early = select([*others, batch(2, **options)], "gap", "batch")  # type: ignore[arg-type]
    assert days(early.batches) == [1, 3]
    assert early.notes == (f"1 batch (day 2) without a score: {why}",)
    assert not early.problem
    late = select([*others, batch(4, **options)], "gap", "batch")  # type: ignore[arg-type]
    assert days(late.batches) == [1, 3]
    assert late.problem == why


def test_a_batch_that_could_not_be_measured_does_not_change_the_terms() -> None:
    failed = batch(9, square=None, terms={}, problem="it has no column 'x'")
    found = select([batch(1), batch(2), failed], "gap", "batch")
    assert days(found.batches) == [1, 2]
    assert found.problem == "it has no column 'x'"


def test_a_batch_of_the_reference_is_left_out_and_no_problem() -> None:
    found = select([batch(1), batch(2, square=None, collected=True)], "gap", "batch")
    assert days(found.batches) == [1]
    assert not found.problem


def test_another_size_is_left_out_until_it_is_usual() -> None:
    usual = [batch(day) for day in range(10)]
    small = [batch(day, rows=40) for day in range(10, 16)]
    once = select([*usual, small[0]], "gap", "batch")
    assert days(once.batches) == list(range(10))
    assert once.problem == "it has 40 rows where 100 are usual"
    for_good = select([*usual, *small], "gap", "batch")
    assert days(for_good.batches) == list(range(10, 16))
    assert not for_good.problem


def test_blocks_do_not_mind_the_size_but_need_some() -> None:
    blocks = (0.1, 0.2, 0.3, 0.4)
    many = [batch(day, blocks=blocks * 8) for day in range(3)]
    assert days(select([*many, batch(3, rows=10, blocks=blocks)], "gap", "block").batches) == [
        0,
        1,
        2,
        3,
    ]
    few = select([*many, batch(3, blocks=blocks[:3])], "gap", "block")
    assert few.problem == "too few rows for 4 blocks"


def test_a_series_that_was_not_recorded_has_no_history() -> None:
    found = select([batch(1)], "reality", "batch")
    assert found.batches == ()
    assert found.notes == ()


def test_an_observation_survives_its_record() -> None:
    seen = Observation(0.1, 10, "f", {"a": "b"}, (0.1, 0.2), {"x": 0.1}, 0.5, False, "")
    record = {**vars(seen), "blocks": list(seen.blocks)}
    assert Observation.from_dict(record) == seen


def test_a_batch_that_came_late_waits_for_the_next_one_in_order() -> None:
    arrived = [batch(day, time=time) for time, day in enumerate([1, 2, 5, 6, 4, 3], start=1)]
    found = select(arrived, "gap", "batch")
    assert days(found.batches) == [1, 2, 3, 4, 5, 6]
    assert days(found.in_order().batches) == [1, 2, 5, 6]
    assert found.in_order().judged() == [True] * 4
    later = select([*arrived, batch(7, time=9)], "gap", "batch")
    assert days(later.in_order().batches) == [1, 2, 3, 4, 5, 6, 7]
    # Batches 4 to 6 came when 3 was not there.
    assert later.judged() == [True, True, True, False, False, False, True]


def test_a_partition_came_when_it_was_first_materialised_on_these_terms() -> None:
    arrived = [batch(day, time=day) for day in range(4)]
    again = select([*arrived, batch(1, time=9, square=0.5)], "gap", "batch")
    assert again.judged() == [True] * 4
    assert again.in_order() == again
    old = batch(3, time=-1, terms={"version": "0"})
    assert select([old, *arrived], "gap", "batch").came == (0, 1, 2, 3)


def test_by_block_a_batch_of_another_size_stays_and_is_named() -> None:
    found = select(
        [batch(day, rows=300 if day == 3 else 100, blocks=(0.1,) * 4) for day in range(6)],
        "gap",
        "block",
    )
    assert days(found.batches) == [0, 1, 2, 3, 4, 5]
    assert found.odd == {"day 3"}
    assert found.problem == ""
