"""A study whose build is in memory: cells can be planned, and none can be run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cotbuild.builder.evaluation.models import ResolvedModel
from cotbuild.builder.study.context import QuestionSplit, StudyContext
from cotbuild.builder.study.plan import CellPlanner
from cotbuild.builder.study.registered import registered_study
from cotbuild.builder.study.training_rows import TrainingRows
from cotbuild.builder.terminal import Terminal
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.study.record import QuestionSet
from cotbuild.schemas.study.version_2 import StudyV2
from cotbuild.schemas.training import VariantRows
from cotbuild.schemas.variant import Placement, VariantSpec
from cotbuild.schemas.variant_rows import VariantRow
from tests.support.studies.cells_made import make_record


class MemoryBuild:
    """Variants by name, each with the numbers of the questions that it has rows of."""

    def __init__(self, numbers: Mapping[str, Sequence[int]]) -> None:
        self._numbers = numbers

    def variant_rows(self, variant: str) -> VariantRows:
        if variant not in self._numbers:
            raise ConfigError(f"no variant {variant!r}")
        numbers = self._numbers[variant]
        spec = VariantSpec(
            name=variant, about=f"Made as {variant}.", placement=Placement.LABEL_ONLY
        )
        return VariantRows(
            build="0" * 64,
            config_digest="0" * 64,
            spec=spec,
            split="train",
            rows=[_row(variant, number) for number in numbers],
            question_texts={f"q{number}": f"Question {number}?" for number in numbers},
        )


def _row(variant: str, number: int) -> VariantRow:
    return VariantRow(
        question_id=f"q{number}",
        sample_index=0,
        task=None,
        prompt=f"{variant}: question {number}?",
        completion="A",
        choices=("A", "B"),
        target="A",
        label_start=0,
        label_end=1,
        rationale_start=None,
        rationale_end=None,
    )


def planned_study(
    folder: Path,
    study: StudyV2,
    *,
    dev: QuestionSet | None = None,
    few: Mapping[str, Sequence[int]] | None = None,
) -> StudyContext:
    """Open a study whose variants have rows of 200 questions, or those of `few`."""
    registered = registered_study(folder, study)
    variants = (*registered.all_cells(), *study.all_cells())
    numbers = {key.variant: range(200) for key in variants} | dict(few or {})
    test = make_record(study).test
    rows = TrainingRows(study, registered, MemoryBuild(numbers))
    models = {"embedded": ResolvedModel("nowhere", "embedded:0", None)}
    return StudyContext(
        folder=folder,
        study=study,
        registered=registered,
        build=None,  # type: ignore[arg-type] # its rows are read by the planner alone
        planner=CellPlanner(study, rows, models, test.rows),
        dev=QuestionSplit("dev", [], dev or test),
        test=QuestionSplit("test", [], test),
        ui=Terminal(),
    )
