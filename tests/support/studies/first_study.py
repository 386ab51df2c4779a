"""The cells of the first study, which are committed in docs/studies/palm-csqa."""

from pathlib import Path

from cotbuild.builder.study.folder import need_registration, read_cells
from cotbuild.schemas.study.record import Measurement, QuestionSet

FOLDER = Path(__file__).parents[3] / "docs" / "studies" / "palm-csqa"


def first_study_runs() -> tuple[QuestionSet, dict[str, dict[int, Measurement]]]:
    """Its test questions, and variant to seed to the answers to them."""
    record = need_registration(FOLDER)
    runs: dict[str, dict[int, Measurement]] = {}
    for key, cell in read_cells(FOLDER).items():
        if key.setting == record.study.main and cell.test is not None:
            runs.setdefault(key.variant, {})[key.seed] = cell.test
    return record.test, runs
