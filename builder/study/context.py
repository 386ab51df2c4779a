"""STUDY.yaml, the build and the models that it names, as something that can be run."""

from pathlib import Path

from cotbuild.builder.evaluation.models import find_model, open_build
from cotbuild.builder.study.cell import StudyContext
from cotbuild.builder.study.evaluate import check_apart, read_questions
from cotbuild.builder.study.folder import read_study
from cotbuild.builder.study.plan import CellPlanner
from cotbuild.builder.ui import Ui


def open_site(path: Path, ui: Ui, *, keep: bool = False) -> StudyContext:
    """Raises ConfigError and DataError where something that STUDY.yaml names is not
    there, or is not as it must be.
    """
    study = read_study(path)
    build = open_build(study.source, ui)
    dev, test = (
        read_questions(str(build.folder), wanted, ui)
        for wanted in (study.dev, study.test)
    )
    check_apart(dev, test)
    students = dict.fromkeys(cell.student for cell in study.all_cells())
    models = {student: find_model(student, None, ui.say) for student in students}
    planner = CellPlanner(study, build, models, test.told.rows)
    for key in study.all_cells():
        planner.plan(
            key, {name: values[0] for name, values in study.grid.items()}
        )  # refuses what cannot be trained
    return StudyContext(path.parent, study, build, planner, dev, test, ui, keep)
