"""One evaluation before it has results: a student, its questions and how they are run.

The command line, studies and the Python API all evaluate through this module.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Self

from transformers import PreTrainedTokenizerBase

from cotbuild.builder.evaluation.models import ResolvedModel
from cotbuild.builder.evaluation.questions import GivenRationales, evaluation_rows
from cotbuild.builder.evaluation.results import ResultsFile
from cotbuild.builder.ui import Ui
from cotbuild.schemas.answers.prose_scores import open_scorer
from cotbuild.schemas.evaluation import EvaluationInputs, QuestionResult
from cotbuild.schemas.question import Question
from cotbuild.schemas.training import Layout, Precision, RowsInfo, StudentRun
from cotbuild.schemas.variant import VariantSpec
from cotbuild.student.evaluation.evaluate import evaluate_questions
from cotbuild.student.evaluation.plan import (
    EvaluationItem,
    EvaluationPlan,
    choose_free_questions,
    make_evaluation_inputs,
    make_evaluation_plan,
    make_prose_limits,
)
from cotbuild.student.evaluation.prose_metrics import is_scored
from cotbuild.student.model import Student, load_for_inference, load_tokenizer
from cotbuild.student.tokenize_parts import LabelEnds
from cotbuild.student.training.run_dir import MODEL, load_trained, run_identity

BATCH_TOKENS = 8192
"""Default of the most tokens whose keys and values are held in memory at once."""


@dataclass(frozen=True)
class StudentUnderTest:
    """A student, trained or not, and the variant whose prompts and labels it gets."""

    identity: str
    """Digest of the weights, or the commit of a Hub model."""
    spec: VariantSpec
    layout: Layout
    load: Callable[[], Student]
    """Loads the weights; called only if results are missing."""
    load_tokenizer: Callable[[], PreTrainedTokenizerBase]
    """Called only if labels are followed by other text than the end."""
    rationale_tokens_p99: int = 0
    """99th percentile of the tokens before the label in training, or of all tokens if
    there is no label; 0: untrained.
    """
    label_tokens_p99: int | None = None
    """99th percentile of the tokens of a label in training; None: not known."""
    multiline_labels: bool | None = None
    """Whether a label of training has several lines; None: not known."""
    question_digests: Collection[str] = ()
    """Digests of the questions that it was trained on."""
    precision: Precision = Precision.FLOAT32
    """Of its weights and matrix products, as `load` loads them."""

    def with_lengths_of(self, rows: RowsInfo) -> Self:
        """Return the student with the limits that follow from rows of training."""
        label, rationale = rows.label_tokens, rows.rationale_tokens
        before_label = rows.rationale_tokens_p99
        if rationale is not None and not self.layout.has_label:
            before_label = rationale.p99
        return replace(
            self,
            rationale_tokens_p99=before_label,
            label_tokens_p99=None if label is None else label.p99,
            multiline_labels=rows.multiline_labels,
        )


def trained_student(
    folder: Path, run: StudentRun, precision: Precision = Precision.FLOAT32
) -> StudentUnderTest:
    """Return the student of a finished run, with the variant that it was trained on."""
    student = StudentUnderTest(
        identity=run_identity(run),
        spec=run.data.spec,
        layout=run.layout,
        load=lambda: load_trained(folder, precision),
        load_tokenizer=lambda: load_tokenizer(folder / MODEL),
        question_digests=run.data.question_digests,
        precision=precision,
    )
    return student.with_lengths_of(run.data)


def untrained_student(
    model: ResolvedModel,
    spec: VariantSpec,
    layout: Layout,
    precision: Precision = Precision.FLOAT32,
) -> StudentUnderTest:
    """Return a model as it is, with the prompts and labels of a variant."""

    def load() -> Student:
        return load_for_inference(
            model.where, model.identity, revision=model.revision, precision=precision
        )

    return StudentUnderTest(
        identity=model.identity,
        spec=spec,
        layout=layout,
        load=load,
        load_tokenizer=lambda: load_tokenizer(model.where, model.revision),
        precision=precision,
    )


@dataclass(frozen=True)
class EvaluationTask:
    """A student and the questions to evaluate it on."""

    student: StudentUnderTest
    items: list[EvaluationItem]
    plan: EvaluationPlan
    inputs: EvaluationInputs
    """Everything that decides the results."""

    def collect_results(
        self, file: ResultsFile, ui: Ui, noun: str = "questions"
    ) -> list[QuestionResult]:
        """Return the results in the order of the questions, evaluating those missing.

        Each finished group of questions is kept in `file`, so a call that was
        interrupted is resumed by the next one. `noun` names the progress bar. Raises
        ConfigError if `file` belongs to another evaluation, StoreError if it cannot be
        read or written, and DataError if a question is longer than the student's
        context.
        """
        finished = file.read_finished()
        if finished is not None:
            return finished
        student = self.student.load()
        with ui.counting(noun) as progress:
            return file.collect(
                lambda done: evaluate_questions(student, self.items, self.plan, done),
                progress,
            )


def make_task(
    student: StudentUnderTest,
    questions: Sequence[Question],
    split: str,
    *,
    given: GivenRationales | None = None,
    batch_tokens: int = BATCH_TOKENS,
    mapping: Mapping[str, str] = MappingProxyType({}),
    free_answers: int | None = None,
) -> EvaluationTask:
    """Combine a student with at least one question of a split.

    `given` holds the rationale of each question: it stands in the prompt if the
    student's variant gives one there, else before the label in place of a generated
    one. `mapping` is what was done to the inputs of the questions, for the record.
    `free_answers` is how many questions with options are answered freely too, the first
    by a digest of their ids; None: all.
    Raises ConfigError if the variant gives one and `given` is None, or a package
    that scores prose is missing.
    """
    if any(is_scored(question) for question in questions):
        open_scorer()
    texts = given.texts if given is not None else None
    rows = evaluation_rows(student.spec, questions, texts)
    in_prompt = student.spec.evaluated.gives_rationale
    before_label = [None] * len(questions) if texts is None or in_prompt else texts
    is_free = choose_free_questions(questions, free_answers)
    items = [
        EvaluationItem(*item)
        for item in zip(questions, rows, before_label, is_free, strict=True)
    ]
    plan = make_evaluation_plan(
        student.layout,
        student.rationale_tokens_p99,
        batch_tokens,
        student.question_digests,
        make_prose_limits(
            questions, student.label_tokens_p99, student.multiline_labels
        ),
    )
    inputs = make_evaluation_inputs(
        student.identity,
        items,
        plan,
        student.spec,
        split,
        rationales_by=given.by if given is not None else None,
        mapping=mapping,
        precision=student.precision,
        merged_label_ends=_has_merged_ends(student, items),
    )
    return EvaluationTask(student, items, plan, inputs)


def _has_merged_ends(
    student: StudentUnderTest, items: Sequence[EvaluationItem]
) -> bool:
    """Whether the last token of any option reaches past it."""
    layout = student.layout
    labels = {label for item in items for label in item.labels}
    if not (labels and layout.has_label and layout.text_after_label):
        return False
    ends = LabelEnds(student.load_tokenizer(), layout.text_after_label)
    return ends.any_merged(labels)
