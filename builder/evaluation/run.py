"""Evaluating a student beside its untrained base model and the majority baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cotbuild.builder.evaluation.given import (
    evaluation_folder,
    read_student_rationales,
)
from cotbuild.builder.evaluation.models import (
    find_model,
    read_run_source,
)
from cotbuild.builder.evaluation.questions import (
    EvaluationQuestions,
    GivenRationales,
    choose_variant,
    read_questions,
    read_unseen_rationales,
)
from cotbuild.builder.evaluation.results import (
    ResultsFile,
    cached_untrained,
    write_evaluation,
)
from cotbuild.builder.evaluation.task import (
    BATCH_TOKENS,
    EvaluationTask,
    StudentUnderTest,
    make_task,
    trained_student,
    untrained_student,
)
from cotbuild.builder.evaluation.untrained import prepare_untrained, untrained_inputs
from cotbuild.builder.storage.cache import cache_dir
from cotbuild.builder.terminal import Terminal
from cotbuild.builder.ui import Ui
from cotbuild.prompts.student import layout_of, question_digest
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.evaluation import (
    NO_METRIC,
    STUDENT,
    Evaluation,
    QuestionResult,
    StudentMetrics,
)
from cotbuild.schemas.event import Phase
from cotbuild.schemas.training import Precision, StudentRun
from cotbuild.student.evaluation.evaluate import (
    EvaluationCost,
    estimate_evaluation_cost,
)
from cotbuild.student.evaluation.metrics import (
    add_breakdown,
    compute_chance_accuracy,
    compute_majority_baseline,
    compute_metrics,
    name_primary_metric,
)
from cotbuild.student.precision import runs_at_speed
from cotbuild.student.training.run_dir import (
    library_versions,
    open_finished_run,
    read_run,
)


@dataclass(frozen=True)
class EvaluationOptions:
    """What to evaluate a student on; see `cotbuild evaluate --help`."""

    source: str | None = None
    """A known dataset, a file, a build or ORG/NAME@TAG; None: the build that a run was
    trained on.
    """
    split: str = "test"
    config_name: str | None = None
    """Config of a dataset on the Hub, or direction of files of translations."""
    mapping: Mapping[str, str] = field(default_factory=dict)
    """question=INPUT asks with an input in place of the text, INPUT= leaves one out."""
    variant: str | None = None
    """Variant of a bare model; a run has its own."""
    spec_file: Path | None = None
    """YAML file with a custom variant of a bare model."""
    revision: str | None = None
    """Branch, tag or commit of a bare model on the Hub."""
    limit: int | None = None
    """Evaluate only the first N questions; None: all."""
    base: str | None = None
    """The model that a run started from, if the run does not say where it is."""
    teacher_rationales: bool = False
    """Give a run the teacher's rationales of questions that it was not trained on."""
    rationales_from: Path | None = None
    """Folder of a run or an evaluation whose student's rationales a run is given."""
    may_generate: bool = True
    """Whether the student of `rationales_from` may write rationales now."""
    batch_tokens: int = BATCH_TOKENS
    precision: Precision = Precision.FLOAT32
    """Of the student and of the untrained model beside it."""


@dataclass(frozen=True)
class PreparedEvaluation:
    """An evaluation with everything resolved and no model loaded."""

    task: EvaluationTask
    options: EvaluationOptions
    run_folder: Path | None
    run: StudentRun | None
    """None: a bare model is evaluated, and there is no untrained one beside it."""

    def default_folder(self) -> Path:
        """Return the folder for the results of a run, inside the folder of the run.

        Raises ConfigError for a bare model, which has no folder of its own.
        """
        if self.run_folder is None:
            raise ConfigError(
                "no --out. Pass a folder for the results, such as --out "
                "results/embedded, or --dry-run."
            )
        return evaluation_folder(
            self.run_folder,
            self.task.inputs,
            self.options.config_name,
            self.options.limit,
        )

    def measure_cost(self) -> EvaluationCost:
        """Evaluate a few of the questions and extrapolate to all of them."""
        task = self.task
        return estimate_evaluation_cost(task.student.load(), task.items, task.plan)

    def has_untrained_results(self) -> bool:
        """Return whether the untrained model's results are in the user's cache."""
        if self.run is None:
            return False
        inputs = untrained_inputs(self.task, self.run)
        return cached_untrained(cache_dir(), inputs).read_finished() is not None


def evaluate_student(
    student: str,
    options: EvaluationOptions | None = None,
    *,
    out: Path | None = None,
    ui: Ui | None = None,
) -> Evaluation:
    """Evaluate a student and write the results to a folder.

    `student` is the folder of a run, or a model: embedded, a folder, a Hub id. A run is
    evaluated beside the model that it was trained from. `out` is the folder of the
    results; the default for a run is RUN/evaluations/DATASET-SPLIT. An interrupted call
    is resumed by the next one with the same arguments.

    Raises ConfigError for arguments that do not fit the student, DataError for
    questions that cannot be evaluated, StoreError if results cannot be read or written.
    """
    ui = ui or Terminal()
    prepared = prepare_evaluation(student, options or EvaluationOptions(), ui)
    return run_evaluation(prepared, out or prepared.default_folder(), ui)


def prepare_evaluation(
    student: str, options: EvaluationOptions, ui: Ui
) -> PreparedEvaluation:
    """Resolve student and questions; loads no model. Raises as `evaluate_student`."""
    folder = Path(student).expanduser()
    run = _read_run(folder, options)
    if run is None:
        source = _source_of_model(student, options)
        spec = choose_variant(options.variant, options.spec_file)
        model = find_model(student, options.revision, ui.say)
        layout = layout_of(spec)
        subject = untrained_student(model, spec, layout, options.precision)
    else:
        source = options.source or read_run_source(folder)
        subject = trained_student(folder, run, options.precision)
    selected = _select_questions(student, subject, run, source, options, ui)
    task = make_task(
        subject,
        selected.questions,
        selected.split,
        given=selected.given,
        batch_tokens=options.batch_tokens,
        mapping=selected.mapping,
    )
    return PreparedEvaluation(task, options, folder if run else None, run)


def run_evaluation(prepared: PreparedEvaluation, out: Path, ui: Ui) -> Evaluation:
    """Evaluate what has no result yet, and write all results to `out`.

    Raises ConfigError, before anything is run, if the untrained model is needed and
    cannot be found.
    """
    ui.phase(Phase.EVALUATING)
    task, run = prepared.task, prepared.run
    precision = task.student.precision
    if not runs_at_speed(precision):
        ui.say(
            f"this machine has no units for {precision.value}; float32 would be faster"
        )
    collect_untrained = None
    if run is not None:
        base = prepared.options.base
        collect_untrained = prepare_untrained(task, run, base, out, ui)
    results = task.collect_results(ResultsFile(out, STUDENT, task.inputs), ui)
    untrained = collect_untrained() if collect_untrained else None
    evaluation = _summarize(task, run, results, untrained)
    write_evaluation(out, evaluation)
    return evaluation


def _summarize(
    task: EvaluationTask,
    run: StudentRun | None,
    results: Sequence[QuestionResult],
    untrained: Sequence[QuestionResult] | None,
) -> Evaluation:
    layout = task.plan.layout
    return Evaluation(
        metric=name_primary_metric(results) if layout.has_label else NO_METRIC,
        evaluated=task.inputs,
        student=_metrics_of(task, results),
        untrained=_metrics_of(task, untrained) if untrained else None,
        untrained_student=run.student if run else None,
        majority=compute_majority_baseline(results) if layout.has_label else None,
        chance=compute_chance_accuracy(results) if layout.has_label else None,
        versions=library_versions(),
    )


def _metrics_of(
    task: EvaluationTask, results: Sequence[QuestionResult]
) -> StudentMetrics:
    layout = task.plan.layout
    if not layout.has_label:
        return compute_metrics(results, label_first=True)
    metrics = compute_metrics(results, label_first=layout.label_first)
    questions = [item.question for item in task.items]
    return add_breakdown(metrics, questions, results)


# -- student and questions -------------------------------------------------------------


def _read_run(folder: Path, options: EvaluationOptions) -> StudentRun | None:
    """Return the finished run in `folder`, or None if it holds no run."""
    if read_run(folder) is None:
        return None
    if options.variant or options.spec_file or options.revision:
        raise ConfigError(
            f"{folder}: is a run, which has its own variant and model. Leave out "
            "--variant, --spec and --revision; they are for models."
        )
    return open_finished_run(folder)


def _source_of_model(model: str, options: EvaluationOptions) -> str:
    is_missing = model != "embedded" and not Path(model).expanduser().is_dir()
    if options.source is None and is_missing:
        raise ConfigError(
            f"{model}: no such run. Pass the folder that `cotbuild train --out` wrote; to "
            "evaluate a bare model, also pass --source, --variant and --out."
        )
    if options.source is None:
        raise ConfigError(
            "no --source. Pass the questions to evaluate a model on, such as --source "
            "openbookqa, or a build."
        )
    return options.source


def _select_questions(
    name: str,
    student: StudentUnderTest,
    run: StudentRun | None,
    source: str,
    options: EvaluationOptions,
    ui: Ui,
) -> EvaluationQuestions:
    _check_reads_rationales(name, student, options)
    if not options.teacher_rationales:
        selected = read_questions(
            source,
            options.split,
            options.limit,
            ui,
            options.config_name,
            options.mapping,
        )
        return selected._replace(given=_read_given(selected, options, ui))
    if run is None or student.spec.mix:
        raise ConfigError(
            f"--teacher-chains: {name} was trained on no variant, or on a mix of several. "
            "Pass a run of one variant, such as pre_cot."
        )
    if options.mapping:
        raise ConfigError(
            "--teacher-chains with --map: the teacher's rationales are for the questions "
            "as the build has them. Leave one of them out."
        )
    seen = frozenset(student.question_digests)
    return read_unseen_rationales(
        source,
        student.spec,
        lambda question: question_digest(question.full_text) in seen,
        options.limit,
        ui,
    )


def _read_given(
    selected: EvaluationQuestions, options: EvaluationOptions, ui: Ui
) -> GivenRationales | None:
    """Return the rationales of --rationales-from for the selected questions."""
    if options.rationales_from is None:
        return None
    return read_student_rationales(
        options.rationales_from.expanduser(),
        selected,
        options.config_name,
        options.limit,
        ui,
        may_generate=options.may_generate,
    )


def _check_reads_rationales(
    name: str, student: StudentUnderTest, options: EvaluationOptions
) -> None:
    """Raise ConfigError if rationales are given to a student that reads none."""
    if options.teacher_rationales and options.rationales_from is not None:
        raise ConfigError(
            "--teacher-chains and --rationales-from both give rationales. Pass one of "
            "them."
        )
    flag = "--teacher-chains" if options.teacher_rationales else "--rationales-from"
    is_given = options.teacher_rationales or options.rationales_from is not None
    layout = student.layout
    reads_own = layout.has_label and not layout.label_first
    if is_given and not (reads_own or student.spec.evaluated.gives_rationale):
        raise ConfigError(
            f"{flag}: {name} reads no rationale before its label. Pass a run that does, "
            "such as one trained on pre_cot or given_rationale."
        )
