"""Whether the students that a study starts from know its held-out questions."""

from pathlib import Path

import pytest

from cotbuild.builder.evaluation.models import ResolvedModel
from cotbuild.builder.study.base_students import check_base_students
from cotbuild.prompts.student import question_digest
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.training import Layout
from cotbuild.student.training.run_dir import write_run
from tests.support.runs import run_of

DIGESTS = [question_digest(f"Which of {number} boats sinks?") for number in range(10)]


def model_of_run(folder: Path, trained_on: list[str]) -> ResolvedModel:
    """Write the record of a run, and an empty folder for its student."""
    layout = Layout(order=("label",), opening=" ", joints=())
    (folder / "model").mkdir(parents=True)
    write_run(folder, run_of("label_only", layout, trained_on=trained_on))
    return ResolvedModel(str(folder / "model"), "local:1", None)


def test_a_student_that_has_seen_a_held_out_question_is_refused(tmp_path: Path) -> None:
    model = model_of_run(tmp_path / "first", DIGESTS[3:])
    message = (
        r"student 'first/model': it was trained on 1 of the dev and test questions\."
    )
    with pytest.raises(ConfigError, match=message):
        check_base_students({"first/model": model}, frozenset(DIGESTS[:4]))


def test_the_link_to_such_a_student_is_followed(tmp_path: Path) -> None:
    model = model_of_run(tmp_path / "first", DIGESTS)
    (tmp_path / "link").symlink_to(model.where)
    linked = model._replace(where=str(tmp_path / "link"))
    with pytest.raises(ConfigError, match="trained on 10 of"):
        check_base_students({"link": linked}, frozenset(DIGESTS))


def test_other_students_pass(tmp_path: Path) -> None:
    (tmp_path / "plain" / "model").mkdir(parents=True)
    models = {
        "trained without them": model_of_run(tmp_path / "first", DIGESTS[4:]),
        "no run": ResolvedModel(str(tmp_path / "plain" / "model"), "local:2", None),
        "Hub": ResolvedModel("org/model", "org/model@1", "1"),
    }
    check_base_students(models, frozenset(DIGESTS[:4]))


def test_a_record_that_is_no_run_gets_a_line(tmp_path: Path) -> None:
    model = model_of_run(tmp_path / "first", [])
    (tmp_path / "first" / "run.json").write_text("[]")
    with pytest.raises(DataError, match="Move the student into a folder of its own"):
        check_base_students({"first": model}, frozenset(DIGESTS))
