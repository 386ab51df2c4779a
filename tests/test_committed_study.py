"""The studies in docs/studies: this version still opens them, and finds every cell."""

import csv
import math
import shutil
from pathlib import Path

import pytest

from cotbuild.builder.cli.reporting import open_ui
from cotbuild.builder.study.context import open_study
from cotbuild.builder.study.folder import TRIALS, read_cells, read_registration
from cotbuild.builder.study.trials import Trial, find_trial
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.study.record import Cell
from cotbuild.schemas.study.version_2 import StudyV2
from cotbuild.student.evaluation.plan import EVALUATION_VERSION
from tests.support.commands import DATA, HERE, cotbuild

STUDY = HERE.parent / "docs" / "studies" / "palm-csqa"
SECOND = HERE.parent / "docs" / "studies" / "palm-csqa-2"


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the committed study, with the working folder beside it."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(STUDY, tmp_path / "study")) / "STUDY.yaml"


def test_a_cell_still_has_the_fingerprint_of_all_that_decides_it() -> None:
    cells, record = read_cells(STUDY), read_registration(STUDY)
    assert record is not None
    specs = {
        key.variant: cell.training.spec for key, cell in cells.items() if cell.training
    }
    assert len(cells) == len(list((STUDY / "cells").iterdir()))
    for key, cell in cells.items():
        decides = {
            "config": cell.training.config.model_dump(mode="json")
            if cell.training
            else None,
            "student": cell.identity,
            "rows": cell.training.rows if cell.training else None,
            "spec": specs[key.variant].fingerprint,
            "test": record.test.rows,
            "evaluation": EVALUATION_VERSION,
        }
        assert digest("cell/1", decides) == cell.fingerprint


@pytest.mark.slow
def test_its_report_can_be_drawn_of_the_cells_alone(study: Path) -> None:
    shutil.rmtree(study.parent / "report")
    cotbuild("study", study, "--report-only")
    # variants.csv too: the build is not here, and study.json keeps its figures.
    for name in ("comparisons.csv", "seeds.csv", "recipes.csv", "variants.csv"):
        assert (study.parent / "report" / name).read_bytes() == (
            STUDY / "report" / name
        ).read_bytes()


@pytest.mark.slow
def test_the_claims_of_the_second_follow_from_its_cells_alone(tmp_path: Path) -> None:
    folder = shutil.copytree(SECOND, tmp_path / "study")
    shutil.rmtree(folder / "report")
    cotbuild("study", folder / "STUDY.yaml", "--report-only")
    drawn, committed = read_claims(folder), read_claims(SECOND)
    assert len(committed) == 4
    for row, expected in zip(drawn, committed, strict=True):
        for name, value in expected.items():
            assert is_same(row[name], value), (row, name)


def read_claims(folder: Path) -> list[dict[str, str]]:
    """Read what claims.csv has on the tiers: at a look, its seeds alone decide them.

    Secondary claims and metrics are of all finished seeds, more than at the look.
    """
    with (folder / "report" / "claims.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if row["tier"] and row["metric"] == "primary"]


def is_same(drawn: str, committed: str) -> bool:
    """Whether two entries agree; sums differ in their last digits by machine."""
    try:
        return math.isclose(float(drawn), float(committed), rel_tol=1e-6, abs_tol=1e-9)
    except ValueError:
        return drawn == committed


def import_rationales() -> None:
    """Make the build that both studies have variants of, in the working folder."""
    files = [
        DATA / "rationales" / "palm_commonsense_qa" / f"train_CoT_{number}.json"
        for number in range(10)
    ]
    cotbuild(
        "import",
        *files,
        "--format",
        "palm_commonsense_qa",
        "--source",
        DATA / "commonsense_qa",
        "--split",
        "train",
        "--eval-splits",
        "dev",
        "--order-from",
        DATA / "rationales" / "human_cose" / "cose_train_v1.11.jsonl",
        "--out",
        "builds/palm-csqa",
    )


@pytest.mark.slow
@pytest.mark.needs_data
def test_run_again_as_its_readme_says_it_finds_every_cell(study: Path) -> None:
    import_rationales()
    # The versions it was begun with, which may have been replaced since.
    cells = read_cells(STUDY).values()
    refs = {cell.training.spec.ref for cell in cells if cell.training}
    cotbuild("variants", "builds/palm-csqa", "--only", ",".join(sorted(refs)))
    before = {
        path.name: path.read_bytes() for path in (study.parent / "cells").iterdir()
    }
    assert "training" not in cotbuild("study", study).stderr
    assert {
        path.name: path.read_bytes() for path in (study.parent / "cells").iterdir()
    } == before
    assert (study.parent / "touches.jsonl").read_bytes() == (
        STUDY / "touches.jsonl"
    ).read_bytes()


@pytest.mark.slow
@pytest.mark.needs_data
def test_the_second_study_goes_on_from_its_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    left_out = shutil.ignore_patterns(".work", "report")
    folder = shutil.copytree(SECOND, tmp_path / "study", ignore=left_out)
    import_rationales()
    record = read_registration(folder)
    assert record is not None
    assert isinstance(record.study, StudyV2)
    cotbuild(
        "variants",
        "builds/palm-csqa",
        "--file",
        f"scores={folder / 'scores.parquet'}",
        "--only",
        ",".join(record.study.main_variants),
    )
    context = open_study(folder / "STUDY.yaml", open_ui())
    for key, cell in read_cells(folder).items():
        settings = {"lr": cell.training.config.lr} if cell.training else {}
        assert context.planner.plan(key, settings).fingerprint == cell.fingerprint
    trials = [
        Cell.model_validate_json(path.read_bytes())
        for path in (folder / TRIALS).iterdir()
    ]
    assert trials
    for trial in trials:
        assert trial.training is not None
        tried = Trial({"lr": trial.training.config.lr}, trial.key)
        assert find_trial(context, tried) == trial
