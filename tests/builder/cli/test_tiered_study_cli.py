"""`cotbuild study` with STUDY.yaml of version 2: real training of a tiny student."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cotbuild.builder.study.folder import (
    CELLS,
    SENSITIVITY,
    need_registration,
    read_cells,
    read_question_accesses,
    read_study,
)
from cotbuild.schemas.study.record import Cell
from cotbuild.schemas.study.version_2 import StudyV2
from tests.support.commands import cotbuild, invoke, start
from tests.support.studies.small import make_study, tiered_values

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study run to its end; the folder that STUDY.yaml is in."""
    path = make_study(tmp_path_factory.mktemp("study"), tiered_values)
    ended = cotbuild("study", path)
    assert "look 1 of 2 (2 seeds): 4 of 4 cells are finished" in ended.stderr
    assert "look 2 of 2 (3 seeds): 2 of 2 cells are finished" in ended.stderr
    return path.parent


@pytest.fixture
def study(done: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(done, tmp_path / "s")) / "STUDY.yaml"


def edit(path: Path, **fields: Any) -> None:
    values: dict[str, Any] = {**yaml.safe_load(path.read_text()), **fields}
    path.write_text(yaml.safe_dump(values))


def test_one_setting_is_chosen_for_all_variants_by_the_mean_over_them(
    done: Path,
) -> None:
    choice = need_registration(done).choice
    assert choice is not None
    assert choice.settings == {"lr": 0.01}
    assert [one.settings for one in choice.tried] == [{"lr": 1e-7}, {"lr": 0.01}]
    for tried in choice.tried:
        assert [(one.variant, one.seed) for one in tried.values] == [
            ("label_only", 0),
            ("post_cot", 0),
            ("label_only", 1),
            ("post_cot", 1),
        ]
        values = [one.value for one in tried.values]
        assert tried.mean == pytest.approx(sum(values) / len(values))
    paths = sorted((done / "trials").glob("*.json"))
    trials = [Cell.parse(json.loads(path.read_text()), path.name) for path in paths]
    assert len(trials) == 8 + 2  # two of the sensitivity stage
    assert all(trial.dev is not None and trial.test is None for trial in trials)
    cells = read_cells(done).values()
    assert {cell.training.config.lr for cell in cells if cell.training} == {0.01}
    assert not list((done / ".work").glob("*/"))


def test_each_seed_has_rationales_of_its_own_the_same_for_every_variant(
    done: Path,
) -> None:
    by_seed: dict[int, set[str]] = defaultdict(set)
    for key, cell in read_cells(done).items():
        if cell.training is not None:
            by_seed[key.seed].add(cell.training.rationales)
    assert sorted(by_seed) == [0, 1, 2]
    assert all(len(digests) == 1 for digests in by_seed.values())
    assert len(set.union(*by_seed.values())) == 3


def test_the_test_questions_were_never_trained_on(done: Path) -> None:
    record = need_registration(done)
    assert len(record.test.ids) == 8
    assert len(record.dev.ids) == 6
    assert not set(record.test.ids) & set(record.dev.ids)
    for cell in read_cells(done).values():
        assert cell.test is not None
        assert cell.test.figures.seen == 0


def test_every_cell_of_a_seed_records_the_same_kind_of_processor(done: Path) -> None:
    record, cells = need_registration(done), read_cells(done)
    assert [one.seed for one in record.seed_processors] == [0, 1, 2]
    kinds = {one.processor for one in record.seed_processors}
    assert {cell.processor for cell in cells.values()} == kinds
    trainings = [cell.training for cell in cells.values() if cell.training is not None]
    (execution,) = {str(training.execution) for training in trainings}
    assert "measured=False" in execution


def test_the_sensitivity_stage_has_cells_of_its_own(done: Path) -> None:
    cells, own = read_cells(done), read_cells(done, SENSITIVITY)
    assert [(key.variant, key.seed) for key in own] == [
        ("post_cot", 0),
        ("post_cot", 1),
    ]
    rates = {cell.training.config.lr for cell in own.values() if cell.training}
    assert rates == {0.02}
    accesses = [access.cell for access in read_question_accesses(done)]
    assert sorted(accesses) == sorted(
        [
            *(key.name for key in cells),
            *(f"{SENSITIVITY}/{key.name}" for key in own),
        ]
    )
    results = json.loads((done / "report" / "results.json").read_text())
    (found,) = results["sensitivity"]
    assert found["settings"] == {"lr": 0.02}
    assert found["seeds"] == [0, 1]
    assert found["common"] is not None
    assert results["touched_twice"] == []


def test_run_again_it_trains_nothing(study: Path) -> None:
    cells = study.parent / "cells"
    before = {path: path.read_bytes() for path in cells.iterdir()}
    assert "training" not in invoke("study", study).stderr
    assert {path: path.read_bytes() for path in cells.iterdir()} == before


def test_a_seed_that_another_kind_of_processor_began_is_left_to_it(
    study: Path,
) -> None:
    (study.parent / "cells" / "post_cot.student.8.parts.s2.json").unlink()
    path = study.parent / "study.json"
    record = json.loads(path.read_text())
    for one in record["seed_processors"]:
        if one["seed"] == 2:
            one["processor"] = "Another CPU"
    path.write_text(json.dumps(record))
    ended = invoke("study", study)
    assert "seeds [2] were begun on Another CPU" in ended.stderr
    assert "look 2 of 2 (3 seeds): 1 of 2 cells are finished" in ended.stderr
    assert "training" not in ended.stderr


def test_what_is_held_out_and_what_is_trained_on_must_be_there(study: Path) -> None:
    declared = read_study(study)
    assert isinstance(declared, StudyV2)
    test = {"split": "train", "unseen": True, "count": 40}
    edit(study, test=test)
    assert "dev and test hold out 46 questions of train, which has 40" in (
        invoke("study", study, code=2).stderr
    )
    edit(study, test={**test, "split": "dev"})
    assert "test: unseen questions of 'dev', and the build has rationales" in (
        invoke("study", study, code=2).stderr
    )
    stage = declared.stages[0].model_dump(mode="json")
    edit(study, test={**test, "count": 8}, stages=[{**stage, "rows": [27]}])
    assert (
        "rows 27: the variants of the study share "
        in invoke("study", study, code=2).stderr
    )


def test_a_dry_run_says_what_is_left_and_writes_nothing(
    done: Path, tmp_path: Path
) -> None:
    path = tmp_path / "s" / "STUDY.yaml"
    path.parent.mkdir()
    shutil.copy(done / "STUDY.yaml", path)
    lines = cotbuild("study", path, "--dry-run").stdout.splitlines()
    assert lines[0].startswith("what this design can find, by the variances of the fir")
    assert lines[1].startswith("  helps: smallest difference ")
    assert "with the gains hoped for" in lines[1]
    assert "look 1 of 2 (2 seeds): 4 cells, 0 of them done" in lines
    assert any(line.startswith("label_only, ") for line in lines)
    assert lines[-1].startswith("about ")
    assert [entry.name for entry in path.parent.iterdir()] == ["STUDY.yaml"]


# -- what is left -----------------------------------------------------------------------


def test_a_dry_run_counts_what_is_left_of_the_sensitivity_stage(study: Path) -> None:
    lines = invoke("study", study, "--dry-run").stdout.splitlines()
    assert lines[-1] == "nothing is left to train"
    for path in (study.parent / SENSITIVITY).iterdir():
        path.unlink()
    lines = invoke("study", study, "--dry-run").stdout.splitlines()
    assert lines[-2].startswith("sensitivity: 0 trials and 2 cells left, ")
    assert lines[-1].startswith("about ")


def test_another_variant_of_the_sensitivity_stage_chooses_for_itself(
    study: Path,
) -> None:
    stage = {"grid": {"lr": [0.02]}, "variants": ["label_only"], "seeds": [0]}
    edit(study, sensitivity=stage)
    invoke("study", study)
    record = need_registration(study.parent)
    assert [one.variant for one in record.sensitivity] == ["post_cot", "label_only"]
    own = read_cells(study.parent, SENSITIVITY)
    assert [(key.variant, key.seed) for key in own] == [
        ("label_only", 0),
        ("post_cot", 0),
        ("post_cot", 1),
    ]


def test_a_stage_that_is_added_later_trains_its_own_cells_alone(study: Path) -> None:
    before = read_cells(study.parent)
    (stage,) = yaml.safe_load(study.read_text())["stages"]
    later = {**stage, "name": "later", "variants": ["label_only"], "seeds": [3]}
    edit(study, stages=[stage, later], secondary_metrics=[])
    ended = invoke("study", study)
    assert ended.stderr.count(": training") == 1
    cells = read_cells(study.parent)
    (added,) = [key for key in cells if key not in before]
    assert (added.variant, added.seed) == ("label_only", 3)
    test = cells[added].test
    assert test is not None
    assert test.temperature is not None  # of the registered secondary metric
    fields = [one.field for one in need_registration(study.parent).changes]
    assert fields == ["secondary_metrics", "stages.later"]


# -- kills and other processes ----------------------------------------------------------


def _num_files(folder: Path, pattern: str) -> int:
    return len(list(folder.glob(pattern)))


def _is_chosen(folder: Path) -> bool:
    path = folder / "study.json"
    return path.exists() and need_registration(folder).choice is not None


STORED: list[Callable[[Path], bool]] = [
    lambda folder: _num_files(folder, "trials/*.json") > 2,
    _is_chosen,
    lambda folder: len(read_question_accesses(folder)) > 2,
    lambda folder: _num_files(folder, f"{SENSITIVITY}/*.json") > 0,
]
"""What is stored when two processes are killed, the earliest first."""


def _wait_until(
    is_stored: Callable[[Path], bool], folder: Path, both: list[subprocess.Popen[str]]
) -> None:
    """Wait for what is stored, or for the end of both processes."""
    while not is_stored(folder):
        if all(one.poll() is not None for one in both):
            assert is_stored(folder)
        time.sleep(0.02)


def test_killed_at_every_step_in_two_processes_it_ends_as_if_it_had_not_been(
    done: Path, tmp_path: Path
) -> None:
    path, log = tmp_path / "s" / "STUDY.yaml", tmp_path / "log"
    folder = path.parent
    folder.mkdir()
    shutil.copy(done / "STUDY.yaml", path)
    for is_stored in STORED:
        both = [start("study", path, log=log) for _ in range(2)]
        _wait_until(is_stored, folder, both)
        for one in both:
            os.killpg(one.pid, signal.SIGKILL)
            one.wait()
    both = [start("study", path, log=log) for _ in range(2)]
    assert [one.wait(timeout=1800) for one in both] == [0, 0], log.read_text()[-3000:]
    mine, theirs = need_registration(folder), need_registration(done)
    assert mine.choice == theirs.choice
    assert mine.gate == theirs.gate
    assert mine.sensitivity == theirs.sensitivity
    assert mine.changes == ()
    for part in (CELLS, SENSITIVITY):
        cells, expected = read_cells(folder, part), read_cells(done, part)
        assert cells.keys() == expected.keys()
        for key, cell in cells.items():
            whole = expected[key]
            assert cell.fingerprint == whole.fingerprint
            assert cell.test is not None
            assert whole.test is not None
            assert cell.test.answers == whole.test.answers
    names = {path.name for path in (done / "trials").iterdir()}
    assert {path.name for path in (folder / "trials").iterdir()} == names
    results = json.loads((folder / "report" / "results.json").read_text())
    assert results["touched_twice"] == []
