"""Cells of simulated students, as a study would have kept them."""

from collections.abc import Sequence

import numpy as np

from cotbuild.builder.study.registration import make_registration
from cotbuild.schemas.evaluation import (
    EvaluationInputs,
    MajorityBaseline,
    Proportion,
    StudentMetrics,
)
from cotbuild.schemas.study.declaration import (
    CellKey,
    Claim,
    PlannedComparison,
    Study,
    StudyQuestions,
    StudyStage,
)
from cotbuild.schemas.study.record import (
    AnswerString,
    Cell,
    Curve,
    Measurement,
    QuestionSet,
    StudyRegistration,
    TrainingRecord,
)
from cotbuild.schemas.study.version_1 import StudyV1
from cotbuild.schemas.study.version_2 import StudyV2
from cotbuild.schemas.training import Loss, Precision, TrainConfig
from cotbuild.schemas.variant import Placement, VariantSpec

VARIANTS = ("label_only", "pre_cot", "post_cot")
QUESTIONS = 500


def comparison(
    name: str, a: str, b: str, claim: Claim = Claim.BEATS
) -> PlannedComparison:
    return PlannedComparison(
        name=name, says=f"{a} {claim.value} {b}.", a=a, b=b, claim=claim
    )


def make_tiers(**fields: object) -> StudyV2:
    """Version 2: two claims, then one that the second opens; six seeds, looks at 5 and 6."""
    values: dict[str, object] = {
        "format_version": 2,
        "name": "Simulated",
        "source": "builds/simulated",
        "dev": {"split": "dev"},
        "test": {"split": "test"},
        "looks": [5, 6],
        "tiers": [
            {
                "name": "first",
                "claims": [
                    beats("after", "post_cot", "pre_cot"),
                    beats("help", "post_cot", "label_only"),
                ],
            },
            {
                "name": "second",
                "opens_with": ["help"],
                "claims": [
                    {
                        "name": "half",
                        "says": "Shuffled words keep half of the gain.",
                        "claim": "keeps",
                        "a": "post_cot_shuffled",
                        "base": "label_only",
                        "full": "post_cot",
                        "share": 0.5,
                    }
                ],
            },
        ],
        "stages": [
            {
                "name": "one",
                "variants": [*VARIANTS, "post_cot_shuffled"],
                "seeds": [0, 1, 2, 3, 4, 5],
                "rows": [100],
            }
        ],
    }
    return StudyV2.model_validate({**values, **fields}, strict=False)


def beats(name: str, a: str, b: str) -> dict[str, str]:
    """A claim of version 2, as in STUDY.yaml."""
    return {"name": name, "says": f"{a} beats {b}.", "claim": "beats", "a": a, "b": b}


def make_study(stages: Sequence[StudyStage] = (), **fields: object) -> StudyV1:
    """Two claims, three seeds."""
    stage = StudyStage(name="one", variants=VARIANTS, seeds=(0, 1, 2), rows=(100,))
    study = StudyV1(
        name="Simulated",
        source="builds/simulated",
        dev=StudyQuestions(split="dev"),
        test=StudyQuestions(split="test"),
        comparisons=(
            comparison("after", "post_cot", "pre_cot"),
            comparison("help", "post_cot", "label_only"),
        ),
        stages=tuple(stages) or (stage,),
    )
    return StudyV1.model_validate({**study.model_dump(), **fields}, strict=False)


def make_record(
    study: StudyV1 | StudyV2, num_questions: int = QUESTIONS
) -> StudyRegistration:
    ids = tuple(f"q{number}" for number in range(num_questions))
    majority = MajorityBaseline(target="A", accuracy=share(0.25, num_questions))
    asked = QuestionSet(
        rows="0" * 64,
        ids=ids,
        targets=("A",) * num_questions,
        majority=majority,
        chance=0.25,
    )
    return make_registration(study, asked, asked, "2026-01-01T00:00:00+00:00")


def share(fraction: float, of: int) -> Proportion:
    return Proportion(
        count=round(fraction * of),
        of=of,
        share=fraction,
        low=max(0, fraction - 0.1),
        high=fraction + 0.1,
    )


def make_measured(
    correct_Q: Sequence[bool],
    variant: str,
    *,
    forced: float | None = None,
    tokens: int = 3,
) -> Measurement:
    said = "".join(str(int(one)) for one in correct_Q)
    accuracy = share(sum(correct_Q) / len(said), len(said))
    figures = StudentMetrics(
        accuracy=accuracy,
        normalised=accuracy,
        free=accuracy,
        unseen=None,
        forced=None if forced is None else share(forced, len(said)),
        parse_failures=share(0.1, len(said)),
        seen=0,
        tokens_per_question=float(tokens),
        rationale_tokens_per_question=0.0,
        seconds=1.0,
        questions_per_s=float(len(said)),
    )
    what = EvaluationInputs(
        student="trained:0",
        dataset="simulated",
        split="test",
        variant=f"{variant}@1",
        rows="0" * 64,
        num_questions=len(said),
        layout="0" * 64,
        rationale_tokens=0,
        version=3,
    )
    answers = AnswerString(
        choice="0" * len(said),
        correct=said,
        normalised=said,
        free=said,
        forced="0" * len(said),
        tokens=(tokens,) * len(said),
    )
    return Measurement(evaluated=what, figures=figures, answers=answers)


def make_cell(key: CellKey, correct_Q: Sequence[bool]) -> Cell:
    spec = VariantSpec(
        name=key.variant,
        about=f"Made as {key.variant}.",
        placement=Placement.LABEL_ONLY,
    )
    curve = Curve(update=(1, 2), label_loss=(2.0, 1.0), rationale_loss=(3.0, 2.0))
    training = TrainingRecord(
        config=TrainConfig(variant=key.variant, seed=key.seed, rows=key.rows or 1),
        precision=Precision.FLOAT32,
        spec=spec,
        rationales="0" * 64,
        rows="0" * 64,
        num_rows=key.rows or 1,
        too_long=0,
        updates=2,
        tokens=1000,
        seconds=10.0,
        curve=curve,
    )
    return Cell(
        key=key,
        fingerprint="0" * 64,
        identity="embedded:0",
        training=training if key.rows else None,
        test=make_measured(correct_Q, key.variant),
        versions={},
        finished_at="2026-01-01T00:00:00+00:00",
    )


def make_cells(
    study: Study,
    chance_of: dict[str, float],
    questions: int = QUESTIONS,
    seed: int = 0,
) -> dict[CellKey, Cell]:
    """A cell for each that the study names whose variant is in `chance_of`, and the
    untrained student at chance.
    """
    rng = np.random.default_rng(seed)
    difficulty_Q = rng.random(questions)

    def draw(chance: float) -> list[bool]:
        return [
            bool(one)
            for one in (0.7 * difficulty_Q + 0.3 * rng.random(questions)) < chance
        ]

    keys = [key for key in study.all_cells() if key.variant in chance_of]
    base = CellKey(
        variant=study.gate.variant,
        student=study.main.student,
        rows=0,
        loss=Loss.PARTS,
        seed=0,
    )
    found = {key: make_cell(key, draw(chance_of[key.variant])) for key in keys}
    return {base: make_cell(base, draw(0.25)), **found}
