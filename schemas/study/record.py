"""What a study leaves on disk: a small file a cell, and the record of what was fixed,
decided and changed.
"""

from pydantic import Field, JsonValue

from cotbuild.schemas.evaluation import (
    EvaluationInputs,
    MajorityBaseline,
    StudentMetrics,
)
from cotbuild.schemas.record import FORMAT_VERSION, Record
from cotbuild.schemas.study.declaration import (
    CellKey,
    Study,
    StudyMetric,
    TrainingRecipe,
)
from cotbuild.schemas.training import Precision, TrainConfig
from cotbuild.schemas.variant import VariantSpec


class AnswerString(Record):
    """What a student said of each question, in order: a character a question. 1: yes;
    0: no; -: there is none.
    """

    choice: str = Field(
        description="The option chosen: 0-9a-z, its place among the options; +: a later one; -: none."
    )
    correct: str = Field(
        description="By forced choice on raw log-likelihood, or the free answer."
    )
    normalised: str = Field(
        description="By forced choice on log-likelihood a character."
    )
    free: str = Field(description="By the free greedy answer.")
    forced: str = Field(
        description="Whether the separator behind the rationale was put there."
    )
    tokens: tuple[int, ...] = Field(description="Generated: rationale and free answer.")

    def right(self, metric: StudyMetric) -> list[float]:
        """1 or 0 a question, by a metric; where it gives none, 0."""
        said = {
            StudyMetric.ACCURACY: self.correct,
            StudyMetric.NORMALISED: self.normalised,
            StudyMetric.FREE: self.free,
        }[metric]
        return [float(one == "1") for one in said]

    def percent(self, metric: StudyMetric) -> float:
        """Percent right."""
        right = self.right(metric)
        return 100 * sum(right) / len(right)


class Measurement(Record):
    """A student on dev or test."""

    evaluated: EvaluationInputs = Field(
        description="What was evaluated; its `rows` tell the questions."
    )
    figures: StudentMetrics = Field(description="What it comes to.")
    answers: AnswerString = Field(description="By question.")


class Curve(Record):
    """How training went, at most 60 points, each a mean over the updates since the
    last.
    """

    update: tuple[int, ...] = Field(description="Updates done.")
    label_loss: tuple[float, ...] = Field(description="Mean over a label's tokens.")
    rationale_loss: tuple[float, ...] = Field(
        description="Mean over a rationale's tokens."
    )


class TrainingRecord(Record):
    """How the student of a cell came to be."""

    config: TrainConfig = Field(description="Resolved.")
    precision: Precision = Field(
        description="Of its matrix products, on the machine that trained it."
    )
    spec: VariantSpec = Field(description="The variant.")
    rationales: str = Field(
        description="Digest of the ids of the rationales, in order: the same in every variant."
    )
    rows: str = Field(description="Digest of the rows trained on.")
    num_rows: int = Field(ge=1, description="Rows trained on.")
    too_long: int = Field(ge=0, description="Rows left out for max_tokens.")
    updates: int = Field(ge=1, description="Updates.")
    tokens: int = Field(
        ge=1, description="Tokens read, over all passes, without padding."
    )
    seconds: float = Field(ge=0, description="On the machine that trained it.")
    curve: Curve = Field(description="Its loss.")


class Cell(Record):
    """cells/NAME.json: all that is kept of a trained student; no weights.

    What resume needs on another machine.
    """

    format_version: int = Field(
        default=FORMAT_VERSION, description="Version of this form."
    )
    key: CellKey = Field(description="Which cell.")
    fingerprint: str = Field(description="Digest of all that decides its answers.")
    identity: str = Field(
        description="The student before training: weights by digest or commit."
    )
    training: TrainingRecord | None = Field(description="None: the untrained student.")
    dev: Measurement | None = Field(default=None, description="None: not asked.")
    test: Measurement | None = Field(default=None, description="None: not asked yet.")
    versions: dict[str, str] = Field(
        description="Of cotbuild and the libraries that matter."
    )
    finished_at: str = Field(description="UTC, ISO 8601.")


class QuestionSet(Record):
    """The questions of dev or test."""

    rows: str = Field(description="Digest of the questions, in order.")
    ids: tuple[str, ...] = Field(min_length=2, description="In order.")
    targets: tuple[str, ...] = Field(description="Reference answers.")
    majority: MajorityBaseline = Field(
        description="Answering each with the most frequent target."
    )
    chance: float | None = Field(
        description="What guessing comes to; None: questions without options."
    )


class DeclarationChange(Record):
    """A field of STUDY.yaml that differs from what stood there before the first cell."""

    field: str = Field(description="Dotted.")
    was: JsonValue = Field(description="Before.")
    now: JsonValue = Field(description="Since.")
    seen_at: str = Field(description="When it was first run so; UTC, ISO 8601.")
    cells: int = Field(ge=0, description="Cells that were finished by then.")


class GateResult(Record):
    """How the gate ended, on dev."""

    passed: bool = Field(description="Whether it held.")
    trained: tuple[float, ...] = Field(
        description="Percent right of the gate's variant, a seed each."
    )
    untrained: float = Field(description="Percent right of the untrained student.")
    difference: float = Field(description="Points.")
    standard_error: float = Field(ge=0, description="Points, over seeds and questions.")
    needed: float = Field(ge=0, description="Standard errors.")


class ChosenHyperparameters(Record):
    """What a variant took of the grid, on dev."""

    recipe: TrainingRecipe = Field(description="For whom.")
    settings: dict[str, JsonValue] = Field(description="What it took.")
    tried: tuple[tuple[dict[str, JsonValue], float], ...] = Field(
        description="Each point and its percent right."
    )


class StudyRegistration(Record):
    """study.json: what stood in STUDY.yaml before the first cell, and what has come
    since.
    """

    format_version: int = Field(
        default=FORMAT_VERSION, description="Version of this form."
    )
    digest: str = Field(description="Of `study`.")
    at: str = Field(description="UTC, ISO 8601.")
    study: Study = Field(description="As it stood.")
    dev: QuestionSet = Field(description="Its questions.")
    test: QuestionSet = Field(description="Its questions.")
    changes: tuple[DeclarationChange, ...] = Field(
        default=(), description="In the order in which they were seen."
    )
    gate: GateResult | None = Field(default=None, description="None: not decided yet.")
    chosen: tuple[ChosenHyperparameters, ...] = Field(
        default=(), description="Of the grid; empty: a grid of one point."
    )


class TestAccess(Record):
    """A line of touches.jsonl: a cell began to ask the test questions."""

    cell: str = Field(description="Name of the cell.")
    fingerprint: str = Field(description="Its fingerprint.")
    at: str = Field(description="UTC, ISO 8601.")
