"""The files of a study's folder: what was changed by hand is refused in a line."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from cotbuild.builder.study.folder import (
    CELLS,
    cell_path,
    read_cells,
    read_registration,
    read_study,
    update_registration,
    write_cell,
    write_registration,
)
from cotbuild.builder.study.registration import prepare_report
from cotbuild.schemas.errors import ConfigError, DataError
from tests.support.studies.cells_made import make_cell, make_record, make_tiers

STUDY = make_tiers()
KEY = STUDY.all_cells()[0]


def test_a_cell_is_read_under_its_own_name_alone(tmp_path: Path) -> None:
    write_cell(tmp_path, make_cell(KEY, [True, False]))
    path = cell_path(tmp_path, KEY)
    assert set(read_cells(tmp_path)) == {KEY}
    old = path.with_name(path.name.replace(".json", ".old.json"))
    old.write_bytes(path.read_bytes())
    with pytest.raises(DataError) as caught:
        read_cells(tmp_path)
    assert str(caught.value) == (
        f"{old}: holds the cell {KEY.name!r}. Move the file out of cells, or give it the "
        "name of its cell."
    )


def test_a_file_in_the_place_of_the_cells_is_refused(tmp_path: Path) -> None:
    (tmp_path / CELLS).write_text("")
    with pytest.raises(DataError, match="is not a folder"):
        read_cells(tmp_path)


def test_a_registered_declaration_cannot_be_edited(tmp_path: Path) -> None:
    write_registration(tmp_path, make_record(STUDY))
    assert read_registration(tmp_path) == make_record(STUDY)
    path = tmp_path / "study.json"
    record = json.loads(path.read_text())
    record["study"]["tiers"][1]["claims"][0]["share"] = 0.01
    path.write_text(json.dumps(record))
    with pytest.raises(
        DataError, match="`study` is not the declaration that was regis"
    ):
        read_registration(tmp_path)


def test_a_process_does_not_record_what_another_declaration_found(
    tmp_path: Path,
) -> None:
    write_registration(tmp_path, make_record(STUDY))
    with pytest.raises(ConfigError, match=r"another process has begun the study"):
        update_registration(
            tmp_path, lambda record: record, make_tiers(name="Another title")
        )


def test_a_report_lists_what_has_changed_since(tmp_path: Path) -> None:
    write_registration(tmp_path, make_record(STUDY))
    write_cell(tmp_path, make_cell(KEY, [True, False]))
    later = make_tiers(name="Another title")
    for _ in range(2):
        record = prepare_report(tmp_path, later, None)
        assert [(one.field, one.now) for one in record.changes] == [
            ("name", "Another title")
        ]


@pytest.mark.parametrize(
    ("field", "values", "said"),
    [
        ("seeds", [0, 0, 1, 2, 3, 4, 5], "seeds has 0 twice"),
        ("rows", [100, 100], "rows has 100 twice"),
    ],
)
def test_what_a_stage_names_twice_is_refused(
    field: str, values: list[Any], said: str, tmp_path: Path
) -> None:
    declared = STUDY.model_dump(mode="json")
    path = tmp_path / "STUDY.yaml"
    path.write_text(yaml.safe_dump(declared))
    assert read_study(path) == STUDY
    declared["stages"][0][field] = values
    path.write_text(yaml.safe_dump(declared))
    with pytest.raises(ConfigError, match=f"{said}. Name it once"):
        read_study(path)
