"""Histograms: every row in one bin, bins without gaps, round widths."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cotbuild.builder.view.histogram import make_histogram


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=300))
def test_every_length_is_in_the_one_bin_of_its_range(lengths: list[int]) -> None:
    histogram = make_histogram("chars", np.array(lengths, np.int64))
    bins = histogram.bins
    assert [one.count for one in bins] == [
        sum(one.low <= length <= one.high for length in lengths) for one in bins
    ]
    assert sum(one.count for one in bins) == len(lengths)
    assert all(a.high + 1 == b.low for a, b in pairwise(bins))
    assert bins[0].low == min(lengths)
    assert bins[-1].high == histogram.greatest == max(lengths)
    assert len(bins) <= 32


def test_one_long_row_does_not_hide_the_others() -> None:
    lengths = np.array([*range(1, 201), 10**9], np.int64)
    histogram = make_histogram("tokens", lengths)
    assert len(histogram.bins) == 20
    assert max(one.count for one in histogram.bins) == 12
    assert histogram.median == 101


def test_no_rows_have_no_bins() -> None:
    histogram = make_histogram("chars", np.zeros(0, np.int64))
    assert histogram.bins == ()
    assert histogram.median is None
