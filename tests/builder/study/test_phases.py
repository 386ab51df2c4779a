"""The order of cells in version 2: look by look, seed by seed."""

from typing import Any

from cotbuild.builder.study.phases import study_phases
from cotbuild.schemas.study.version_2 import StudyV2
from tests.schemas.study.test_version_2 import STAGE, STUDY


def study(**fields: Any) -> StudyV2:
    return StudyV2.parse({**STUDY, **fields}, "study")


def test_each_look_has_the_seeds_that_it_adds() -> None:
    first, second = study_phases(study(), study())
    assert first.name == "look 1 of 2 (2 seeds)"
    assert [cell.seed for cell in first.cells] == [0] * 5 + [1] * 5
    assert second.name == "look 2 of 2 (4 seeds)"
    assert [cell.seed for cell in second.cells] == [2] * 5 + [3] * 5


def test_cells_that_are_added_to_a_registered_study_come_last() -> None:
    later = {**STAGE, "name": "later", "seeds": [4, 5]}
    current = study(stages=[{**later, "rows": [50]}, STAGE], looks=[])
    first, second, rest = study_phases(current, study())
    assert [phase.name for phase in (first, second)] == [
        "look 1 of 2 (2 seeds)",
        "look 2 of 2 (4 seeds)",
    ]
    assert [cell.seed for cell in second.cells] == [2] * 5 + [3] * 5
    assert {(cell.rows, cell.seed) for cell in rest.cells} == {(50, 4), (50, 5)}


def test_a_seed_has_the_variants_of_all_stages_and_what_no_look_needs_is_last() -> None:
    headline = {**STAGE, "variants": STAGE["variants"][:4], "rows": [100, 50]}
    key = {**STAGE, "name": "key", "variants": ["key"]}
    declared = study(stages=[headline, key])
    first, second, rest = study_phases(declared, declared)
    assert [cell.variant for cell in first.cells[:5]] == STAGE["variants"]
    assert {cell.rows for cell in (*first.cells, *second.cells)} == {100}
    assert rest.name == "further cells"
    assert {cell.rows for cell in rest.cells} == {50}
    cells = [*first.cells, *second.cells, *rest.cells]
    assert sorted(cells, key=str) == sorted(declared.all_cells(), key=str)
