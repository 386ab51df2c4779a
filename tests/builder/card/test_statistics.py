"""Counts by target on a card, which hold only for a selection by verdict."""

from pathlib import Path

import pytest

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.card.statistics import selection_lines


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
