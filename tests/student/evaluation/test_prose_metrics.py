"""Scores of answers in prose, against sacrebleu's own for the whole and a part."""

from typing import Any

import pytest

from cotbuild.schemas.evaluation import PROSE_SCORES, CorpusScore, QuestionResult
from cotbuild.schemas.question import Question, QuestionKind, Tag
from cotbuild.student.evaluation.metrics import (
    add_breakdown,
    compute_chance_accuracy,
    compute_majority_baseline,
    compute_metrics,
    name_primary_metric,
)
from tests.student.evaluation.test_metrics import result

sacrebleu: Any = pytest.importorskip("sacrebleu")

PAIRS = [
    ("Das Haus ist alt.", ("Das Haus ist alt.", "Das Haus ist sehr alt.")),
    ("Der Hund schläft.", ("Ein Hund schläft dort.", "Der Hund schläft auf dem Sofa.")),
    (None, ("Sie liest ein Buch.", "Sie liest.")),
    ("Wir gehen nach Hause.", ("Wir gehen jetzt nach Hause.", "Wir gehen heim.")),
]


def prose(references: tuple[str, ...], direction: str) -> Question:
    made = Question.create("Translate.", kind=QuestionKind.PROSE, target=references[0])
    return made.model_copy(
        update={
            "other_targets": references[1:],
            "tags": (Tag(name="direction", value=direction),),
        }
    )


def answered(text: str | None, target: str | None) -> QuestionResult:
    return result(
        target,
        kind=QuestionKind.PROSE,
        options=(),
        choice=None,
        choice_normalised=None,
        said=text or "",
        answer=text,
        correct=None,
        correct_normalised=None,
        correct_free=None,
    )


QUESTIONS = [
    prose(references, "ab"[at % 2]) for at, (_, references) in enumerate(PAIRS)
]
RESULTS = [
    answered(text, question.target)
    for (text, _), question in zip(PAIRS, QUESTIONS, strict=True)
]


def values(scores: tuple[CorpusScore, ...]) -> dict[str, float]:
    return {score.metric: score.value for score in scores}


def expected(positions: list[int]) -> dict[str, float]:
    texts = [PAIRS[at][0] or "" for at in positions]
    references = [[PAIRS[at][1][number] for at in positions] for number in (0, 1)]
    return {
        "chrf2": sacrebleu.corpus_chrf(texts, references).score,
        "bleu": sacrebleu.corpus_bleu(texts, references).score,
    }


def test_scores_equal_those_of_sacrebleu_for_all_and_by_tag() -> None:
    unscored = Question.create("Translate.", kind=QuestionKind.PROSE)
    questions = [*QUESTIONS, unscored]
    results = [*RESULTS, answered("Ja.", None)]
    metrics = compute_metrics(results, label_first=True)
    metrics = add_breakdown(metrics, questions, results)
    found = values(metrics.scores)
    assert found.pop("rouge_l") > 0
    assert found == pytest.approx(expected([0, 1, 2, 3]))
    assert {score.num_questions for score in metrics.scores} == {4}
    for score in metrics.scores:
        assert score.low <= score.value <= score.high
        assert score.signature.startswith("nrefs:2|")
    for one, positions in zip(metrics.slices, [[0, 2], [1, 3]], strict=True):
        found = values(one.scores)
        del found["rouge_l"]
        assert found == pytest.approx(expected(positions))
        assert one.accuracy is None


def test_prose_has_no_accuracy_and_no_baselines() -> None:
    metrics = compute_metrics(RESULTS, label_first=True)
    assert (metrics.accuracy, metrics.free, metrics.normalised) == (None, None, None)
    assert compute_majority_baseline(RESULTS) is None
    assert compute_chance_accuracy(RESULTS) is None
    assert name_primary_metric(RESULTS) == PROSE_SCORES


def test_beside_prose_other_questions_are_graded_as_ever() -> None:
    others = [result("A"), result("B")]
    assert compute_majority_baseline([*RESULTS, *others]) == compute_majority_baseline(
        others
    )
    assert compute_chance_accuracy([*RESULTS, *others]) == 0.5
    metrics = compute_metrics([*RESULTS, *others], label_first=True)
    assert metrics.accuracy is not None
    assert (metrics.accuracy.count, metrics.accuracy.of) == (1, 2)
