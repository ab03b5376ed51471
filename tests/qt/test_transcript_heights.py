"""Sums of heights: what the tree says is what adding up says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ui.transcript.heights import Heights

HEIGHTS = st.lists(st.integers(0, 500), max_size=60)


@given(heights=HEIGHTS, more=HEIGHTS, changes=st.lists(st.tuples(st.integers(0), st.integers(0))))
def test_sums_hold_after_any_change(heights, more, changes):
    tree, plain = Heights(heights), list(heights)
    for height in more:
        tree.append(height)
        plain.append(height)
    for index, height in changes:
        if plain:
            tree[index % len(plain)] = plain[index % len(plain)] = height
    assert len(tree) == len(plain)
    assert tree.total == sum(plain)
    assert [tree.top(i) for i in range(len(plain))] == [sum(plain[:i]) for i in range(len(plain))]
    assert [tree[i] for i in range(len(plain))] == plain


@given(heights=HEIGHTS.filter(bool), y=st.integers(-50, 40_000))
def test_index_at_is_the_row_that_covers_y(heights, y):
    tree = Heights(heights)
    index = tree.index_at(y)
    if 0 <= y < tree.total:
        assert tree.top(index) <= y < tree.top(index) + tree[index]
    else:
        assert index == (0 if y < 0 else len(heights) - 1) or heights[index:] == [0] * len(
            heights[index:]
        )


def test_no_rows():
    assert Heights().total == 0
    with pytest.raises(IndexError):
        Heights().index_at(0)
