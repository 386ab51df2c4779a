"""Reports of studies whose primary metric is no accuracy."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from cotbuild.builder.study.report.lines import claim_lines
from cotbuild.builder.study.report.page import render_page
from cotbuild.builder.study.report.write import make_class_tables, write_report
from cotbuild.builder.study.results import study_results
from cotbuild.schemas.question import Choice
from cotbuild.schemas.study.declaration import StudyMetric
from cotbuild.schemas.study.record import Cell, StudyRegistration
from cotbuild.schemas.study.results import StudyResults
from cotbuild.schemas.study.version_1 import StudyV1
from tests.support.studies.cells_made import make_cell, make_record, make_study

CLASSES = (Choice(label="A", text="<b>no</b>"), Choice(label="B", text="=yes"))


def finished(study: StudyV1, record: StudyRegistration) -> StudyResults:
    """Three seeds each of students that are right more often after rationales."""
    cells = {}
    for key in study.all_cells():
        generator = np.random.default_rng(key.seed)
        accuracy = {"label_only": 0.5, "pre_cot": 0.6, "post_cot": 0.8}[key.variant]
        correct_Q = generator.random(len(record.test.ids)) < accuracy
        cell = make_cell(key, list(correct_Q))
        choice = "".join(
            str("AB".index(target) if is_right else 1 - "AB".index(target))
            for target, is_right in zip(record.test.targets, correct_Q, strict=True)
        )
        assert cell.test is not None
        answers = cell.test.answers.model_copy(update={"choice": choice})
        test = cell.test.model_copy(update={"answers": answers})
        cells[key] = Cell.model_copy(cell, update={"test": test})
    return study_results(study, record, cells, [])


@pytest.fixture(scope="module")
def macro() -> tuple[StudyV1, StudyRegistration, StudyResults]:
    study = make_study(metric=StudyMetric.MACRO_F1)
    record = make_record(study)
    test = record.test.model_copy(
        update={"targets": ("A", "B") * (len(record.test.ids) // 2), "classes": CLASSES}
    )
    record = record.model_copy(update={"test": test})
    return study, record, finished(study, record)


def test_claims_and_recipes_are_of_the_metric(
    macro: tuple[StudyV1, StudyRegistration, StudyResults],
) -> None:
    _, _, results = macro
    lines = list(claim_lines(results))
    assert any("macro-F1 (" in line and "post_cot" in line for line in lines)
    assert not any(" % (" in line for line in lines)
    after = results.comparisons[0].comparison
    assert after is not None
    assert after.difference == pytest.approx(20, abs=5)
    for one in results.recipes:
        assert one.classes is not None
        assert one.accuracy == one.classes.macro_f1
        assert one.raw == pytest.approx(one.accuracy.mean, abs=3)


def test_the_page_has_the_classes_and_no_accuracy_baselines(
    macro: tuple[StudyV1, StudyRegistration, StudyResults], tmp_path: Path
) -> None:
    study, record, results = macro
    write_report(tmp_path, record, results, study)
    page = (tmp_path / "index.html").read_text()
    assert '<h2 id="classes">Classes</h2>' in page
    assert "&lt;b&gt;no&lt;/b&gt; (250)" in page
    assert "<b>no" not in page
    assert "Macro-F1 by recipe: highest post_cot" in page
    assert "majority baseline" not in page
    assert "by 1,000 resamples" in page


def test_tables_of_classes(
    macro: tuple[StudyV1, StudyRegistration, StudyResults],
) -> None:
    _, record, results = macro
    assert make_class_tables(results, ()) == {}
    tables = {
        name: list(csv.DictReader(io.StringIO(text)))
        for name, text in make_class_tables(results, CLASSES).items()
    }
    ours = [row for row in tables["classes.csv"] if row["variant"] == "post_cot"]
    assert [row["label"] for row in ours] == ["A", "B", "macro-F1"]
    assert ours[1]["text"] == "'=yes"
    counts = [
        int(row["count"])
        for row in tables["confusion.csv"]
        if row["variant"] == "post_cot"
    ]
    assert sum(counts) == 3 * len(record.test.ids)
    assert len(counts) == 2 * 3


def test_an_accuracy_study_has_no_classes() -> None:
    study = make_study()
    record = make_record(study)
    test = record.test.model_copy(
        update={"targets": ("A", "B") * (len(record.test.ids) // 2)}
    )
    record = record.model_copy(update={"test": test})
    results = finished(study, record)
    assert "Classes</h2>" not in render_page(record, results, study, {})
    assert "metric" not in results.model_dump()
    assert all("classes" not in one.model_dump() for one in results.recipes)
