"""The files of a report: the same every time, tables that a program reads back and a
spreadsheet does not run.
"""

import csv
import io
from pathlib import Path

import pytest

from cotbuild.builder.study.report.write import make_tables, write_report
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.study.results import StudyResults
from tests.support.studies.hostile import TEXTS, hostile
from tests.support.studies.kinds import half_way, nothing_run
from tests.support.studies.made import whole

TABLES = {"recipes.csv", "seeds.csv", "comparisons.csv", "variants.csv"}


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_report_is_the_same_bytes_every_time_and_nothing_else_is_left(
    tmp_path: Path,
) -> None:
    made = half_way()
    index = write_report(tmp_path / "a", *made)
    write_report(tmp_path / "b", *nothing_run())
    write_report(tmp_path / "b", *made)
    files = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert index == tmp_path / "a" / "index.html"
    assert files.keys() == {*TABLES, "index.html", "results.json", "accuracy.png"}
    assert StudyResults.model_validate_json(files["results.json"]) == made[1]
    assert files == {
        path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()
    }


def test_a_picture_of_an_earlier_report_does_not_stay(tmp_path: Path) -> None:
    write_report(tmp_path, *half_way())
    write_report(tmp_path, *nothing_run())
    assert not (tmp_path / "accuracy.png").exists()


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file", encoding="utf-8")
    with pytest.raises(StoreError, match=r"report: could not be written"):
        write_report(tmp_path / "report", *nothing_run())


def test_tables_hold_every_figure_as_it_was_computed() -> None:
    results = whole(rows=(500, 1000))[1]
    found = {name: read(text) for name, text in make_tables(results).items()}
    recipes = (*results.untrained, *results.recipes)
    assert [float(row["mean"]) for row in found["recipes.csv"]] == [
        one.accuracy.mean for one in recipes
    ]
    assert [float(row["accuracy"]) for row in found["seeds.csv"]] == [
        value for one in recipes for value in one.accuracy.per_seed
    ]
    compared = [one.comparison for one in results.comparisons]
    assert [float(row["low_90"]) for row in found["comparisons.csv"]] == [
        one.interval_90[0] for one in compared if one
    ]
    assert [row["name"] for row in found["variants.csv"]] == [
        one.name for one in results.variants
    ]
    assert found["recipes.csv"][0]["low_95"] == "", "one seed has no interval"
    assert all(
        None not in row and None not in row.values()
        for rows in found.values()
        for row in rows
    )


@pytest.mark.parametrize(
    "text", [*TEXTS, "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", '=1,"2']
)
def test_no_text_of_a_table_is_a_formula_or_leaves_its_cell(text: str) -> None:
    results = hostile(text)[1]
    for name, table in make_tables(results).items():
        rows = read(table)
        assert len(rows) == len(read(make_tables(whole(rows=(500, 1000))[1])[name]))
        for row in rows:
            for value in row.values():
                assert not value.startswith(("=", "@", "+", "\t", "\r", "\n"))
                assert not value.startswith("-") or float(value) < 0
    abouts = {row["about"] for row in read(make_tables(results)["variants.csv"])}
    if text.isprintable():
        assert {about.removeprefix("'") for about in abouts} == {text.removeprefix("'")}
