"""Folds of one size, blocks within them, groups never cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmix_dagster.distance.folds import BLOCKS, MAX_CUTS, draw_cuts, draw_sides
from synthmix_dagster.errors import DataError


@settings(max_examples=50)
@given(n=st.integers(4, 200), m=st.integers(4, 200), seed=st.integers(0, 99))
def test_folds_share_out_every_row_in_nearly_one_size(n, m, seed):
    sides = draw_sides(n, m, np.random.default_rng(seed))
    for rows, side in zip((n, m), sides, strict=True):
        assert len(side.folds) >= 2
        assert sorted(np.concatenate(side.folds).tolist()) == list(range(rows))
    sizes = [len(fold) for side in sides for fold in side.folds]
    assert max(sizes) <= 1.5 * min(sizes) + 1


@settings(max_examples=50)
@given(n=st.integers(4, 200), m=st.integers(4, 200), seed=st.integers(0, 99))
def test_every_fold_has_the_same_blocks_of_nearly_one_size(n, m, seed):
    sides = draw_sides(n, m, np.random.default_rng(seed))
    for side in sides:
        for fold, of_rows in zip(side.folds, side.blocks, strict=True):
            sizes = np.bincount(of_rows)
            assert len(of_rows) == len(fold)
            assert len(sizes) == sides[0].n_blocks <= BLOCKS
            assert sizes.max() - sizes.min() <= 1


def sizes_of_groups():
    return st.lists(st.integers(1, 30), min_size=4, max_size=40)


@settings(max_examples=80)
@given(real=sizes_of_groups(), synthetic=sizes_of_groups(), seed=st.integers(0, 99))
def test_a_group_lies_in_one_fold_and_one_block(real, synthetic, seed):
    rng = np.random.default_rng(seed)
    labels = [rng.permutation(np.arange(len(s)).repeat(s)) for s in (real, synthetic)]
    sides = draw_sides(len(labels[0]), len(labels[1]), rng, labels)
    for side, of_rows in zip(sides, labels, strict=True):
        assert len(side.folds) >= 2
        assert sorted(np.concatenate(side.folds).tolist()) == list(range(len(of_rows)))
        places = {}
        for f, (fold, blocks) in enumerate(zip(side.folds, side.blocks, strict=True)):
            assert len(np.bincount(blocks)) == sides[0].n_blocks >= 2
            assert np.bincount(blocks).min() > 0
            for row, block in zip(fold, blocks, strict=True):
                places.setdefault(of_rows[row], set()).add((f, block))
        assert all(len(where) == 1 for where in places.values())


def test_groups_of_like_size_make_folds_of_like_size():
    labels = [np.arange(20).repeat(10), np.arange(60).repeat(10)]
    real, synthetic = draw_sides(200, 600, np.random.default_rng(0), labels)
    assert [len(fold) for fold in real.folds] == [100, 100]
    assert [len(fold) for fold in synthetic.folds] == [100] * 6


@pytest.mark.parametrize(("few", "side"), [((3, 8), "real"), ((8, 3), "synthetic")])
def test_too_few_groups_are_refused_by_side(few, side):
    labels = [np.arange(count).repeat(10) for count in few]
    with pytest.raises(DataError, match="it has 3 groups") as caught:
        draw_sides(10 * few[0], 10 * few[1], np.random.default_rng(0), labels)
    assert caught.value.dataset == side


@settings(max_examples=30)
@given(n=st.integers(20, 200), m=st.integers(20, 200), seed=st.integers(0, 99))
def test_cuts_differ_in_their_folds_but_leave_out_the_same_blocks(n, m, seed):
    cuts = draw_cuts(n, m, np.random.default_rng(seed))
    assert len(cuts) == MAX_CUTS
    for side, rows in ((0, n), (1, m)):
        blocks, folds = [], []
        for cut in cuts:
            block, fold_of = np.empty(rows, dtype=int), np.empty(rows, dtype=int)
            for f, (fold, of_rows) in enumerate(
                zip(cut[side].folds, cut[side].blocks, strict=True)
            ):
                block[fold], fold_of[fold] = of_rows, f
            blocks.append(block.tolist())
            folds.append(fold_of.tolist())
        assert all(block == blocks[0] for block in blocks)
        assert len({tuple(fold) for fold in folds}) > 1


def test_many_rows_and_groups_are_cut_once():
    assert len(draw_cuts(20_000, 20_000, np.random.default_rng(0))) == 1
    labels = [np.arange(20).repeat(5), np.arange(20).repeat(5)]
    assert len(draw_cuts(100, 100, np.random.default_rng(0), labels)) == 1
