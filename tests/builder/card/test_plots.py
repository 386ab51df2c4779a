"""Pictures of a release: the same bytes every time, no trace of a clock or a program,
bins that lose nothing.
"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.card import draw_pictures
from cotbuild.builder.card.plots import bin_lengths, word_lengths
from tests.support.commands import rows

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("build", "names"),
    [
        ("generated_build", {"verdicts", "lengths"}),
        ("imported_build", {"verdicts", "lengths", "variants"}),
    ],
)
def test_pictures_are_the_same_bytes_every_time(
    build: str, names: set[str], request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(build)
    manifest = StoredBuild.open(folder).manifest
    lengths = word_lengths(str(row["rationale"]) for row in rows(folder))
    first = draw_pictures(manifest, lengths)
    assert first.keys() == names
    assert first == draw_pictures(manifest, lengths)
    for data in first.values():
        assert data.startswith(PNG)
        assert b"tEXt" not in data
        assert b"tIME" not in data


def test_the_lengths_are_those_of_the_kept_rationales(generated_build: Path) -> None:
    kept = [str(row["rationale"]) for row in rows(generated_build) if row["rationale"]]
    found = word_lengths(str(row["rationale"]) for row in rows(generated_build))
    assert sorted(found.elements()) == sorted(len(text.split()) for text in kept)


@given(st.dictionaries(st.integers(1, 5_000), st.integers(1, 1_000), min_size=1))
def test_no_length_is_lost_between_the_bins(lengths: dict[int, int]) -> None:
    edges, counts, beyond = bin_lengths(lengths)
    assert sum(counts) + beyond == sum(lengths.values())
    assert beyond <= 0.01 * sum(lengths.values())
    assert len(counts) == len(edges) - 1 <= 41
    width = edges[1] - edges[0]
    assert edges == list(range(0, edges[-1] + width, width))
