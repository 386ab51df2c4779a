"""Rationales of another student, which a student under evaluation is given."""

from collections.abc import Sequence
from pathlib import Path

from cotbuild.builder.evaluation.input_mapping import describe_mapping
from cotbuild.builder.evaluation.questions import EvaluationQuestions, GivenRationales
from cotbuild.builder.evaluation.results import (
    ResultsFile,
    read_evaluation,
    read_results,
)
from cotbuild.builder.evaluation.task import (
    BATCH_TOKENS,
    make_task,
    trained_student,
)
from cotbuild.builder.ui import Ui
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.evaluation import (
    EVALUATION_RECORD,
    STUDENT,
    EvaluationInputs,
    QuestionResult,
)
from cotbuild.schemas.question import Question
from cotbuild.schemas.training import Precision, StudentRun
from cotbuild.student.training.run_dir import open_finished_run, read_run


def read_student_rationales(
    folder: Path,
    selected: EvaluationQuestions,
    config_name: str | None,
    limit: int | None,
    ui: Ui,
    *,
    may_generate: bool = True,
) -> GivenRationales:
    """Return the rationale of each selected question that another student wrote.

    `folder` is that of an evaluation, or of a run, whose student then writes the
    rationales that it has not written before. Raises ConfigError if it is neither or
    writes no rationales, or has not written them yet and `may_generate` is False;
    DataError if one of the questions has none.
    """
    questions = selected.questions
    if (folder / EVALUATION_RECORD).is_file():
        identity = read_evaluation(folder).evaluated.student
        results = read_results(folder / f"{STUDENT}.parquet")
        return GivenRationales(_match(folder, results, questions), identity)
    if read_run(folder) is None:
        raise ConfigError(
            f"--rationales-from {folder}: holds neither a run nor an evaluation. Pass "
            "the folder that `cotbuild train --out` or `cotbuild evaluate --out` wrote."
        )
    run = open_finished_run(folder)
    _check_writes_rationales(folder, run)
    student = trained_student(folder, run)
    task = make_task(
        student,
        questions,
        selected.split,
        batch_tokens=BATCH_TOKENS,
        mapping=selected.mapping,
    )
    out = evaluation_folder(folder, task.inputs, config_name, limit)
    file = ResultsFile(out, STUDENT, task.inputs)
    if not may_generate and file.read_finished() is None:
        raise ConfigError(
            f"--rationales-from {folder}: its student has not written the rationales of "
            "these questions, and --dry-run generates nothing. Evaluate that run first."
        )
    results = task.collect_results(file, ui, "rationales")
    return GivenRationales(_match(folder, results, questions), student.identity)


def evaluation_folder(
    run: Path, inputs: EvaluationInputs, config_name: str | None, limit: int | None
) -> Path:
    """Return the default folder of an evaluation of a run, inside the run's folder."""
    name = f"{inputs.dataset.replace('/', '-')}-{inputs.split}"
    if config_name:
        name += f"-{config_name}"
    name += describe_mapping(inputs.mapping)
    if limit:
        name += f"-first-{limit}"
    if inputs.precision is not Precision.FLOAT32:
        name += f"-{inputs.precision.value}"
    if inputs.teacher_chains:
        name += "-teacher-chains"
    if inputs.rationales_by is not None:
        name += f"-rationales-{inputs.rationales_by.rpartition(':')[2][:8]}"
    return run / "evaluations" / name


def _check_writes_rationales(folder: Path, run: StudentRun) -> None:
    layout = run.layout
    if layout.label_first or run.data.spec.evaluated.gives_rationale:
        raise ConfigError(
            f"--rationales-from {folder}: a student of {run.data.spec.name!r} writes no "
            "rationale before a label. Pass a run of a variant that does, such as "
            "rationale_only."
        )


def _match(
    folder: Path, results: Sequence[QuestionResult], questions: Sequence[Question]
) -> list[str]:
    """Return the rationale of each question; raises DataError if one has none."""
    by_id = {result.question_id: result.rationale for result in results}
    missing = [question.id for question in questions if by_id.get(question.id) is None]
    if missing:
        raise DataError(
            f"--rationales-from {folder}: no rationale of {len(missing)} of "
            f"{len(questions)} questions, such as {missing[0]!r}. Evaluate the student that "
            "writes them on the same questions, or pass the folder of its run."
        )
    return [by_id[question.id] or "" for question in questions]
