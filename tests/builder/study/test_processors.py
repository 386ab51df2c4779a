"""Each seed is run on the kind of processor that began it; a precision may be missing."""

from pathlib import Path

import pytest

from cotbuild.builder.study.folder import need_registration, write_registration
from cotbuild.builder.study.processors import (
    belongs_here,
    lacking_units,
    left_line,
    need_units,
    seeds_of_others,
)
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.study.record import SeedProcessor
from cotbuild.schemas.training import Precision
from cotbuild.student.precision import processor_kind, runs_at_speed
from tests.support.studies.cells_made import make_record, make_study, make_tiers

OTHER = SeedProcessor(seed=1, processor="Another CPU")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study of which another kind of processor has begun seed 1."""
    record = make_record(make_tiers())
    write_registration(
        tmp_path, record.model_copy(update={"seed_processors": (OTHER,)})
    )
    return tmp_path


def test_the_first_to_begin_a_seed_keeps_it(folder: Path) -> None:
    study = make_tiers()
    assert belongs_here(folder, 0, study)
    assert belongs_here(folder, 0, study)
    assert not belongs_here(folder, 1, study)
    here = SeedProcessor(seed=0, processor=processor_kind())
    assert need_registration(folder).seed_processors == (OTHER, here)


def test_nothing_is_run_by_another_declaration_than_was_registered(
    folder: Path,
) -> None:
    with pytest.raises(ConfigError, match=r"another STUDY\.yaml\. Run the command"):
        belongs_here(folder, 0, make_tiers(name="Another title"))
    assert need_registration(folder).seed_processors == (OTHER,)


def test_what_is_left_to_others_is_one_line(folder: Path) -> None:
    assert seeds_of_others(folder, [0, 1, 2]) == [1]
    line = left_line(folder, [0, 1, 1])
    assert line is not None
    assert line.startswith("seeds [1] were begun on Another CPU, and their other cells")
    assert left_line(folder, [0, 2]) is None


def test_any_machine_has_units_for_float32_and_for_what_is_not_registered() -> None:
    float32 = {"training": "float32", "evaluation": "float32"}
    for study in (make_study(), make_tiers(), make_tiers(precision=float32)):
        assert lacking_units(study) is None
        need_units(study)


def test_a_machine_without_units_for_the_precision_runs_no_cell() -> None:
    study = make_tiers(precision={"training": "bfloat16"})
    if runs_at_speed(Precision.BFLOAT16):
        need_units(study)
        return
    with pytest.raises(ConfigError, match="registers training in bfloat16, for which"):
        need_units(study)
