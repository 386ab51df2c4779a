"""The students that a study starts from, where a run of cotbuild trained them.

Such a student has seen the answers to the questions that it was trained on. If dev or
test questions are among them, every variant recalls them, and the study measures that.
"""

from collections.abc import Mapping, Set
from pathlib import Path

from cotbuild.builder.evaluation.models import ResolvedModel
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.training import StudentRun
from cotbuild.student.training.run_dir import MODEL, read_run


def check_base_students(
    models: Mapping[str, ResolvedModel], text_digests: Set[str]
) -> None:
    """Raise ConfigError if a student was trained on a dev or test question.

    `models` are the study's students by name, `text_digests` those of the texts of the
    dev and test questions. A student is known to be a run's where it lies in the folder
    of that run; what the run itself started from is not known. Raises DataError if the
    run's record cannot be read.
    """
    for name, model in models.items():
        run = _read_run_of(model)
        if run is None:
            continue
        seen = text_digests & set(run.data.question_digests)
        if seen:
            raise ConfigError(
                f"student {name!r}: it was trained on {len(seen)} of the dev and test "
                "questions. Train it again with `cotbuild train --hold-out STUDY.yaml`, or "
                "choose another student in STUDY.yaml."
            )


def _read_run_of(model: ResolvedModel) -> StudentRun | None:
    folder = Path(model.where).resolve()
    if folder.name != MODEL or not folder.is_dir():
        return None
    remedy = (
        "Move the student into a folder of its own if no run of cotbuild trained it."
    )
    return read_run(folder.parent, remedy=remedy)
