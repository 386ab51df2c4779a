"""`cotbuild study` as a user has it: real training of a tiny student, real files, real
kills.
"""

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from cotbuild.builder.study.folder import (
    read_cells,
    read_question_accesses,
    read_registration,
    read_study,
)
from cotbuild.schemas.study.declaration import StudyQuestions
from cotbuild.schemas.study.version_2 import StudyV2
from tests.support.commands import cotbuild, invoke, start
from tests.support.studies.small import make_study


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study run to its end; the folder that STUDY.yaml is in."""
    path = make_study(tmp_path_factory.mktemp("study"))
    cotbuild("study", path)
    return path.parent


@pytest.fixture
def study(done: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(done, tmp_path / "s")) / "STUDY.yaml"


def edit(path: Path, **fields: Any) -> dict[str, Any]:
    values: dict[str, Any] = {**yaml.safe_load(path.read_text()), **fields}
    path.write_text(yaml.safe_dump(values))
    return values


def test_it_ends_with_a_small_file_a_cell_and_a_report(done: Path) -> None:
    study, cells = read_study(done / "STUDY.yaml"), read_cells(done)
    assert {key for key in cells if key.rows} == set(study.all_cells())
    assert all(cell.test is not None for cell in cells.values())
    assert [key.name for key, cell in cells.items() if cell.dev] == [
        "label_only.student.8.parts.s0",
        "label_only.student.8.parts.s1",
        "label_only.student.untrained",
    ]
    assert (
        len({cell.training.rationales for cell in cells.values() if cell.training}) == 1
    )
    assert len({cell.training.updates for cell in cells.values() if cell.training}) == 1
    assert max(path.stat().st_size for path in (done / "cells").iterdir()) < 50_000
    assert not list((done / ".work").glob("*/"))
    assert sorted(touch.cell for touch in read_question_accesses(done)) == sorted(
        key.name for key in cells
    )
    record = read_registration(done)
    assert record is not None
    assert record.gate is not None
    assert record.gate.passed
    assert record.changes == ()
    assert (done / "report" / "index.html").is_file()
    assert not any(
        str(done.parent) in path.read_text()
        for path in (done / "report").glob("*.html")
    )


def test_run_again_it_trains_and_asks_nothing_and_says_the_same(study: Path) -> None:
    before = {path: path.read_bytes() for path in (study.parent / "cells").iterdir()}
    report = {path: path.read_bytes() for path in (study.parent / "report").iterdir()}
    again = invoke("study", study)
    assert "training" not in again.stderr
    assert len(read_question_accesses(study.parent)) == len(before)
    assert {
        path: path.read_bytes() for path in (study.parent / "cells").iterdir()
    } == before
    assert {
        path: path.read_bytes() for path in (study.parent / "report").iterdir()
    } == report
    only = invoke("study", study, "--report-only")
    assert again.stdout.endswith(only.stdout)


def test_cells_alone_are_enough_on_another_machine_and_the_report_follows_them(
    study: Path,
) -> None:
    folder = study.parent
    shutil.rmtree(folder / ".work")
    shutil.rmtree(folder / "report")
    (folder / "cells" / "post_cot.student.8.parts.s2.json").unlink()
    done = invoke("study", study)
    assert done.stderr.count(": training") == 1
    assert "two: 2/2 cells" in done.stdout
    assert len(read_question_accesses(folder)) == len(read_cells(folder)) + 1


def test_a_changed_claim_is_told_and_the_old_ones_stand(study: Path) -> None:
    claims = yaml.safe_load(study.read_text())["comparisons"]
    late = {
        "name": "late",
        "says": "It is late.",
        "a": "label_only",
        "b": "post_cot",
        "claim": "as_good",
    }
    edit(study, comparisons=[*claims, late], margin=7.5)
    invoke("study", study)
    record = read_registration(study.parent)
    assert record is not None
    assert [(one.field, one.cells) for one in record.changes] == [
        ("margin", 7),
        ("comparisons.late", 7),
    ]
    results = json.loads((study.parent / "report" / "results.json").read_text())
    assert [
        (one["planned"]["name"], one["exploratory"]) for one in results["comparisons"]
    ][:2] == [
        ("helps", False),
        ("late", True),
    ]
    page = (study.parent / "report" / "index.html").read_text()
    assert "comparisons.late" in page
    assert "7.5" in page


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        (
            {"train": {"epochs": 1.0, "lr": 0.01, "batch_rows": 4}},
            2,
            "label_only.student.8.parts.s0.json: a cell with epochs 2.0, now",
        ),
        (
            {"test": {"split": "dev", "skip": 12}},
            2,
            "test holds 12 other questions than before the first cell (14",
        ),
        ({"test": {"split": "dev", "skip": 6}}, 2, "dev and test share 4 questions"),
        (
            {"test": {"split": "dev", "skip": 23}},
            1,
            "dev without its first 23: 1 questions, and a study needs at least 2",
        ),
        ({"source": "nowhere"}, 2, "'nowhere': no such folder"),
    ],
)
def test_what_does_not_fit_the_cells_is_refused_in_a_line(
    fields: dict[str, Any], code: int, said: str, study: Path
) -> None:
    edit(study, **fields)
    before = {path: path.read_bytes() for path in (study.parent / "cells").iterdir()}
    done = invoke("study", study, code=code)
    assert said in done.stderr
    assert (
        len([line for line in done.stderr.splitlines() if line.startswith("error: ")])
        == 1
    )
    assert {
        path: path.read_bytes() for path in (study.parent / "cells").iterdir()
    } == before


def test_more_rows_than_there_are_and_variants_that_are_missing_are_refused(
    study: Path,
) -> None:
    stages = yaml.safe_load(study.read_text())["stages"]
    edit(study, stages=[{**stages[0], "rows": [8, 5000]}, stages[1]])
    assert (
        "rows 5000: variant 'label_only' has " in invoke("study", study, code=2).stderr
    )
    edit(
        study,
        stages=[*stages, {**stages[1], "name": "x", "variants": ["post_cot_swapped"]}],
    )
    assert (
        "no variant 'post_cot_swapped'. Choose one of"
        in invoke("study", study, code=2).stderr
    )


def test_a_gate_that_is_not_passed_ends_it_before_any_test_question(
    done: Path, tmp_path: Path
) -> None:
    path = tmp_path / "s" / "STUDY.yaml"
    path.parent.mkdir()
    shutil.copy(done / "STUDY.yaml", path)
    stages = yaml.safe_load(path.read_text())["stages"]
    edit(path, train={"epochs": 1.0, "lr": 1e-7}, stages=[{**stages[0], "seeds": [0]}])
    ended = invoke("study", path, code=1)
    assert "error: gate failed: label_only is " in ended.stderr
    assert "No test question was evaluated. Try more rows" in ended.stderr
    assert read_question_accesses(path.parent) == []
    record = read_registration(path.parent)
    assert record is not None
    assert record.gate is not None
    assert not record.gate.passed


def test_init_writes_a_study_that_can_be_read_and_never_over_another(
    done: Path, tmp_path: Path
) -> None:
    build = read_study(done / "STUDY.yaml").source
    said = invoke("study", "init", build, "--out", tmp_path, code=2)
    assert (
        "no variants ['pre_cot', 'post_cot_shuffled_words']. Derive the paper set with `cotbuild variants"
        in said.stderr
    )
    whole = tmp_path / "whole"
    shutil.copytree(build, whole)
    invoke("variants", whole)
    invoke("study", "init", whole, "--out", tmp_path / "new", "--rows", "8")
    study = read_study(tmp_path / "new" / "STUDY.yaml")
    assert isinstance(study, StudyV2)
    assert [stage.name for stage in study.stages] == ["main"]
    assert study.planned_looks == (6, 12)
    assert [one.name for one in study.tier_claims] == [
        "after_beats_before",
        "rationales_help",
        "coherence_not_needed",
        "key_tokens_enough",
    ]
    # Too few questions to hold some out, so the evaluation split is divided.
    assert study.dev == StudyQuestions(split="validation", first=12)
    assert study.test == StudyQuestions(split="validation", skip=12)
    again = invoke("study", "init", whole, "--out", tmp_path / "new", code=2)
    assert "STUDY.yaml: already exists" in again.stderr


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_dry_run_says_what_is_left_and_writes_nothing(
    done: Path, tmp_path: Path
) -> None:
    path = tmp_path / "s" / "STUDY.yaml"
    path.parent.mkdir()
    shutil.copy(done / "STUDY.yaml", path)
    said = cotbuild("study", path, "--dry-run").stdout.splitlines()
    assert said[:2] == ["one: 4 cells, 0 of them done", "two: 2 cells, 0 of them done"]
    assert said[2].startswith("label_only, ")
    assert "3 cells of 0:0" in said[2]
    assert "for trials and dev questions" in said[2]
    assert said[-1].startswith("about ")
    assert [entry.name for entry in path.parent.iterdir()] == ["STUDY.yaml"]
    told = cotbuild("study", done / "STUDY.yaml", "--dry-run").stdout.splitlines()
    assert told[-1] == "nothing is left to train"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_each_variant_chooses_from_the_grid_on_dev(done: Path, tmp_path: Path) -> None:
    path = tmp_path / "s" / "STUDY.yaml"
    path.parent.mkdir()
    shutil.copy(done / "STUDY.yaml", path)
    stages = yaml.safe_load(path.read_text())["stages"]
    edit(
        path,
        train={"epochs": 2.0, "batch_rows": 4},
        grid={"lr": [1e-7, 0.01]},
        stages=[{**stages[0], "seeds": [0, 1]}],
    )
    cotbuild("study", path)
    record, cells = read_registration(path.parent), read_cells(path.parent)
    assert record is not None
    assert {(one.recipe.variant, one.settings["lr"]) for one in record.chosen} == {
        ("label_only", 0.01),
        ("post_cot", 0.01),
    }
    assert all(len(one.tried) == 2 for one in record.chosen)
    assert {cell.training.config.lr for cell in cells.values() if cell.training} == {
        0.01
    }
    assert len(read_question_accesses(path.parent)) == len(
        cells
    )  # no point of the grid met the test questions
    assert not list((path.parent / ".work").glob("*/"))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_cells_whose_training_diverges_are_named(done: Path, tmp_path: Path) -> None:
    path = tmp_path / "s" / "STUDY.yaml"
    path.parent.mkdir()
    shutil.copy(done / "STUDY.yaml", path)
    edit(path, train={"epochs": 2.0, "batch_rows": 4, "lr": 1e30})
    failed = cotbuild("study", path, code=1)
    assert (
        "error: label_only.student.8.parts.s0 (and 1 more): the loss is nan at update"
        in failed.stderr
    )
    assert "Begin another study with other settings" in failed.stderr
    assert not read_question_accesses(path.parent)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_again_and_again_by_two_processes_it_ends_as_if_it_had_not_been(
    done: Path, tmp_path: Path
) -> None:
    path = tmp_path / "s" / "STUDY.yaml"
    path.parent.mkdir()
    shutil.copy(done / "STUDY.yaml", path)
    for number in range(4):
        both = [start("study", path, log=tmp_path / "log") for _ in range(2)]
        time.sleep(8 + 4 * number)
        for one in both:
            os.killpg(one.pid, signal.SIGKILL)
            one.wait()
    both = [start("study", path, log=tmp_path / "log") for _ in range(2)]
    assert [one.wait(timeout=600) for one in both] == [0, 0], (
        tmp_path / "log"
    ).read_text()[-3000:]
    mine, theirs = read_cells(path.parent), read_cells(done)
    assert mine.keys() == theirs.keys()
    for key, cell in mine.items():
        was = theirs[key]
        assert cell.fingerprint == was.fingerprint
        assert cell.test is not None
        assert was.test is not None
        assert cell.test.answers == was.test.answers
    touches = read_question_accesses(path.parent)
    assert len({touch.cell for touch in touches}) == len(mine)
