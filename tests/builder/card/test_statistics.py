"""Counts by target on a card, and what it says of scripts without spaces."""

from pathlib import Path

import pytest

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.card.statistics import selection_lines, variant_lines


@pytest.mark.parametrize(
    ("dropped", "has_table"),
    [
        ({}, True),
        ({"verdict": 1}, True),
        ({"question_not_drawn": 2, "verdict": 1}, False),
        ({"not_balanced": 2}, False),
    ],
)
def test_targets_are_counted_only_if_verdicts_alone_select(
    dropped: dict[str, int], has_table: bool, imported_build: Path
) -> None:
    manifest = StoredBuild.open(imported_build).manifest
    assert manifest.variants is not None
    variants = manifest.variants.model_copy(update={"dropped": dropped})
    manifest = manifest.model_copy(update={"variants": variants})
    text = "\n".join(selection_lines(manifest))
    assert ("| choice: A |" in text) is has_table
    assert ("no counts by target" in text) is not has_table


def test_rationales_without_spaces_are_cautioned_about(imported_build: Path) -> None:
    manifest = StoredBuild.open(imported_build).manifest
    entry = manifest.variants
    assert entry is not None
    assert "without spaces" not in "\n".join(variant_lines(manifest, entry))
    some = entry.model_copy(update={"num_unspaced": entry.num_selected // 2})
    assert "without spaces" not in "\n".join(variant_lines(manifest, some))
    most = entry.model_copy(update={"num_unspaced": entry.num_selected})
    assert "Caution: 5 of 5 rationales are in a script without spaces" in "\n".join(
        variant_lines(manifest, most)
    )
