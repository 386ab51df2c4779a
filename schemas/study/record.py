"""The files of a study: one per cell, the registration, accesses to test questions."""

from typing import Self

from pydantic import Field, JsonValue, model_validator

from cotbuild.schemas.evaluation import (
    EvaluationInputs,
    MajorityBaseline,
    StudentMetrics,
)
from cotbuild.schemas.question import Choice
from cotbuild.schemas.record import FORMAT_VERSION, Record
from cotbuild.schemas.study.declaration import (
    CellKey,
    StudyMetric,
    TrainingRecipe,
)
from cotbuild.schemas.study.option_scores import OptionScores
from cotbuild.schemas.study.parse import AnyStudy
from cotbuild.schemas.training import Execution, Precision, TrainConfig
from cotbuild.schemas.variant import VariantSpec

_FLAG_DIGITS = "^[01-]*$"
_OPTION_DIGITS = "^[0-9a-z+-]*$"


class AnswerString(Record):
    """A student's answers, one character per question, in order.

    1 is yes, 0 is no, - is not applicable.
    """

    choice: str = Field(
        pattern=_OPTION_DIGITS,
        description="Index of the chosen option, 0-9a-z; + for a later one, - for none.",
    )
    correct: str = Field(
        pattern=_FLAG_DIGITS,
        description="Correct by forced choice on raw log-likelihood, or by the free answer "
        "without options.",
    )
    normalised: str = Field(
        pattern=_FLAG_DIGITS,
        description="Correct by forced choice on log-likelihood per character.",
    )
    free: str = Field(
        pattern=_FLAG_DIGITS,
        description="Correct by the free greedy answer; - where none was generated.",
    )
    forced: str = Field(
        pattern=_FLAG_DIGITS,
        description="Whether the separator after the rationale was appended.",
    )
    tokens: tuple[int, ...] = Field(
        description="Tokens generated: rationale and free answer."
    )
    answered: str = Field(
        default="",
        pattern=_OPTION_DIGITS,
        exclude_if=lambda answered: not answered,
        description="Index of the option that the free answer names, as in `choice`; "
        "empty if no question has options.",
    )

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        number = len(self.choice)
        others = {
            "correct": self.correct,
            "normalised": self.normalised,
            "free": self.free,
            "forced": self.forced,
            "tokens": self.tokens,
            "answered": self.answered or self.choice,
        }
        for name, values in others.items():
            if len(values) != number:
                raise ValueError(
                    f"{name} is of {len(values)} questions, choice of {number}"
                )
        return self

    def correct_by(self, metric: StudyMetric) -> list[float]:
        """Return 1.0 or 0.0 per question by an accuracy; 0.0 where it does not apply.

        By the free answer it is of the questions that were answered freely: the same
        ones for every cell of a study.
        """
        free = self.free.replace("-", "") or self.free
        flags = {
            StudyMetric.ACCURACY: self.correct,
            StudyMetric.NORMALISED: self.normalised,
            StudyMetric.FREE: free,
        }[metric]
        return [float(flag == "1") for flag in flags]

    def percent_correct(self, metric: StudyMetric) -> float:
        """Return the accuracy by one of the accuracies, percent."""
        correct = self.correct_by(metric)
        return 100 * sum(correct) / len(correct)


class StoredStatistics(Record):
    """What a metric of prose is computed from, for any of the questions."""

    metric: str = Field(description="Name of the metric: chrf2, bleu, rouge_l.")
    signature: str = Field(
        description="All that the score depends on besides the texts, in sacrebleu's form."
    )
    rows: tuple[tuple[float, ...], ...] = Field(
        description="Statistics per question, in order, whose sums give the score."
    )


class Measurement(Record):
    """An evaluation of a student on dev or test."""

    evaluated: EvaluationInputs = Field(
        description="What was evaluated; `rows` is the digest of the questions."
    )
    figures: StudentMetrics = Field(description="Aggregate metrics.")
    answers: AnswerString = Field(description="Results per question.")
    prose: tuple[StoredStatistics, ...] = Field(
        default=(),
        exclude_if=lambda prose: not prose,
        description="Statistics of answers in prose, by metric; empty for other "
        "questions.",
    )
    option_scores: OptionScores | None = Field(
        default=None,
        exclude_if=lambda scores: scores is None,
        description="Log-likelihood of every option; None if no question has options, or "
        "in a cell from before they were kept.",
    )
    temperature: float | None = Field(
        default=None,
        gt=0,
        exclude_if=lambda temperature: temperature is None,
        description="Temperature of P(target | options), fitted on the dev questions; None "
        "if it is no metric of the study.",
    )


class Curve(Record):
    """A training curve of at most 60 points.

    Each is a mean over the updates since the previous one.
    """

    update: tuple[int, ...] = Field(description="Number of updates at each point.")
    label_loss: tuple[float, ...] = Field(
        description="Mean loss over the label's tokens."
    )
    rationale_loss: tuple[float, ...] = Field(
        description="Mean loss over the rationale's tokens."
    )


class TrainingRecord(Record):
    """The training of a cell's student."""

    config: TrainConfig = Field(description="Settings, resolved.")
    precision: Precision = Field(
        description="Precision of matrix products on the machine that trained it."
    )
    execution: Execution | None = Field(
        default=None,
        exclude_if=lambda execution: execution is None,
        description="How its updates were computed; None if the cell did not record it.",
    )
    spec: VariantSpec = Field(description="Variant trained on.")
    rationales: str = Field(
        description="Digest of the rationales' ids in order, the same for every variant."
    )
    rows: str = Field(description="Digest of the rows trained on.")
    num_rows: int = Field(ge=1, description="Rows trained on.")
    too_long: int = Field(ge=0, description="Rows dropped because of max_tokens.")
    updates: int = Field(ge=1, description="Number of updates.")
    tokens: int = Field(
        ge=1, description="Tokens read over all epochs, without padding."
    )
    seconds: float = Field(
        ge=0, description="Duration on the machine that trained it, seconds."
    )
    curve: Curve = Field(description="Training curve.")


class Cell(Record):
    """The content of cells/NAME.json: results of one student, without weights.

    It suffices to resume the study on another machine.
    """

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    key: CellKey = Field(description="Identity of the cell.")
    fingerprint: str = Field(
        description="Digest of everything that determines its answers."
    )
    identity: str = Field(
        description="Identity of the student before training: digest or commit of its "
        "weights."
    )
    training: TrainingRecord | None = Field(
        description="Training; None for the untrained student."
    )
    dev: Measurement | None = Field(
        default=None, description="Evaluation on dev; None if not evaluated."
    )
    test: Measurement | None = Field(
        default=None, description="Evaluation on test; None if not evaluated yet."
    )
    versions: dict[str, str] = Field(
        description="Versions of cotbuild and the libraries that affect results."
    )
    processor: str | None = Field(
        default=None,
        exclude_if=lambda processor: processor is None,
        description="Kind of processor that it was trained and evaluated on; None: not "
        "recorded.",
    )
    finished_at: str = Field(description="Time in UTC, ISO 8601.")


class QuestionSet(Record):
    """The questions of dev or test."""

    rows: str = Field(description="Digest of the questions, in order.")
    ids: tuple[str, ...] = Field(
        min_length=2, description="Ids of the questions, in order."
    )
    targets: tuple[str, ...] = Field(description="Reference answers, in order.")
    majority: MajorityBaseline | None = Field(
        description="Majority baseline; None for prose."
    )
    chance: float | None = Field(
        description="Expected accuracy of guessing; None if some questions have no options."
    )
    classes: tuple[Choice, ...] | None = Field(
        default=None,
        exclude_if=lambda classes: classes is None,
        description="Options that all questions share, in order; None if they do not.",
    )

    @model_validator(mode="after")
    def _check_targets(self) -> Self:
        if len(self.targets) != len(self.ids):
            raise ValueError(
                f"{len(self.targets)} targets of {len(self.ids)} questions"
            )
        if self.classes is not None:
            unknown = set(self.targets) - {one.label for one in self.classes}
            if unknown:
                raise ValueError(
                    f"target {min(unknown)!r} is no class of the questions"
                )
        return self


class DeclarationChange(Record):
    """A field of STUDY.yaml that was changed after the first cell."""

    field: str = Field(description="Dotted name of the field.")
    was: JsonValue = Field(description="Value before the change.")
    now: JsonValue = Field(description="Value after the change.")
    seen_at: str = Field(description="Time of the first run with it in UTC, ISO 8601.")
    cells: int = Field(ge=0, description="Cells finished by then.")


class GateResult(Record):
    """The result of the gate, on dev."""

    passed: bool = Field(description="Whether the gate passed.")
    trained: tuple[float, ...] = Field(
        description="Accuracy of the gate's variant, percent per seed."
    )
    untrained: float = Field(description="Accuracy of the untrained student, percent.")
    difference: float = Field(description="Difference in accuracy, points.")
    standard_error: float = Field(
        ge=0, description="Standard error over seeds and questions, points."
    )
    needed: float = Field(ge=0, description="Required difference, in standard errors.")


class ChosenHyperparameters(Record):
    """The settings chosen for a recipe from the grid, on dev."""

    recipe: TrainingRecipe = Field(description="Recipe they were chosen for.")
    settings: dict[str, JsonValue] = Field(description="Chosen settings.")
    tried: tuple[tuple[dict[str, JsonValue], float], ...] = Field(
        description="Settings tried, each with its accuracy, percent."
    )


class TrialValue(Record):
    """What one trial of a point of the grid reached on dev."""

    variant: str = Field(description="Variant that was trained.")
    seed: int = Field(ge=0, description="Seed it was trained with.")
    value: float = Field(description="Primary metric on dev, from 0 to 100.")


class TriedSettings(Record):
    """A point of the grid of hyperparameters."""

    settings: dict[str, JsonValue] = Field(description="The point's settings.")
    mean: float = Field(description="Mean of `values`.")
    values: tuple[TrialValue, ...] = Field(
        min_length=1, description="Its trials, one per variant and seed."
    )


class HyperparameterChoice(Record):
    """The settings of all cells: the point with the best mean on dev."""

    settings: dict[str, JsonValue] = Field(description="Chosen settings.")
    tried: tuple[TriedSettings, ...] = Field(
        min_length=1, description="Every point of the grid."
    )


class SensitivityChoice(HyperparameterChoice):
    """The settings that a variant chose for itself in the sensitivity stage."""

    variant: str = Field(description="Variant that they were chosen for.")


class SeedProcessor(Record):
    """The kind of processor that all cells of a seed are run on."""

    seed: int = Field(ge=0, description="The seed.")
    processor: str = Field(description="Kind of processor, such as its name and units.")


class VariantFacts(Record):
    """Properties of a variant, as the build records them."""

    name: str = Field(description="Name of the variant.")
    about: str = Field(description="One line of description.")
    num_rows: int = Field(description="Rows in the build.")
    words: float = Field(description="Mean words per transformed rationale.")
    names_target: float = Field(
        description="Fraction of rows whose rationale names the target."
    )
    names_other: float = Field(
        description="Fraction of rows whose rationale names another option."
    )
    loosely_target: float = Field(
        description="Fraction of rows whose rationale names the target by a looser rule."
    )


class ScoringStudent(Record):
    """A student whose scores chose the words of variants, as a scores file names it."""

    file: str = Field(description="Name of the scores file among the build's variants.")
    student: str = Field(description="Identity of the student.")
    variants: tuple[str, ...] = Field(
        description="Variants of the study made with the file."
    )
    num_seen: int | None = Field(
        ge=0,
        description="Dev and test questions that the student was trained on, by their "
        "texts; None if the scores file does not record what it was trained on.",
    )


class StudyRegistration(Record):
    """The content of study.json: STUDY.yaml before the first cell, and later changes."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    digest: str = Field(description="Digest of `study`.")
    at: str = Field(description="Time of registration in UTC, ISO 8601.")
    study: AnyStudy = Field(description="The registered declaration.")
    dev: QuestionSet = Field(description="Dev questions.")
    test: QuestionSet = Field(description="Test questions.")
    changes: tuple[DeclarationChange, ...] = Field(
        default=(), description="Later changes, in order."
    )
    gate: GateResult | None = Field(
        default=None, description="Result of the gate; None if not decided yet."
    )
    chosen: tuple[ChosenHyperparameters, ...] = Field(
        default=(), description="Choices from the grid; empty for a grid of one point."
    )
    choice: HyperparameterChoice | None = Field(
        default=None,
        exclude_if=lambda choice: choice is None,
        description="Settings of all cells, chosen on dev; None before that, and if there "
        "was nothing to choose from.",
    )
    sensitivity: tuple[SensitivityChoice, ...] = Field(
        default=(),
        exclude_if=lambda choices: not choices,
        description="Choices of the sensitivity stage; empty before it, and without one.",
    )
    seed_processors: tuple[SeedProcessor, ...] = Field(
        default=(),
        exclude_if=lambda processors: not processors,
        description="Kind of processor of each seed that was begun; empty in version 1.",
    )
    scoring_students: tuple[ScoringStudent, ...] = Field(
        default=(),
        exclude_if=lambda students: not students,
        description="Students whose scores chose the words of variants.",
    )
    variants: tuple[VariantFacts, ...] = Field(
        default=(),
        description="Properties of the variants, so that a report needs no build; empty "
        "until first read from the build.",
    )


class QuestionAccess(Record):
    """A line of touches.jsonl: a cell started to use the test questions."""

    cell: str = Field(description="Name of the cell.")
    fingerprint: str = Field(description="Fingerprint of the cell.")
    at: str = Field(description="UTC, ISO 8601.")
