"""From rows to a log to the summary of a scores file, by both methods."""

import math
from functools import partial
from pathlib import Path

import pytest

from cotbuild.schemas.attribution import (
    AttributionMethod,
    ConvergenceBounds,
    Refusal,
    ScoredRationale,
    ScoredSpan,
    ScoresInfo,
)
from cotbuild.student.attribution.attribute import (
    attribute_rationales,
    freeze_model,
    measure_seconds,
    summarize_scores,
)
from cotbuild.student.attribution.log import AttributionLog
from cotbuild.student.attribution.scorers import open_scorer
from cotbuild.student.attribution.settings import (
    AttributedRow,
    AttributionSettings,
    IntegrationSettings,
)
from tests.student.attribution.test_gradients import QUESTION, RATIONALE, row_of
from tests.student.attribution.test_settings import BOUNDS, INTEGRATION, SETTINGS
from tests.support.tiny import tiny_student

WORDS = SETTINGS.model_copy(
    update={
        "method": AttributionMethod.LEAVE_ONE_WORD_OUT,
        "integration": None,
        "baseline": None,
    }
)
LOOSE = ConvergenceBounds(
    max_steps=64, max_completeness_error=1e6, min_rank_correlation=-1
)
TIGHT = ConvergenceBounds(
    max_steps=8, max_completeness_error=1e-12, min_rank_correlation=-1
)


def attributed_rows(count: int) -> list[AttributedRow]:
    texts = [" ".join([RATIONALE] * (1 + number % 2)) for number in range(count)]
    return [
        AttributedRow(
            row_of(text).model_copy(update={"sample_index": number}), QUESTION, text
        )
        for number, text in enumerate(texts)
    ]


def with_bounds(bounds: ConvergenceBounds) -> AttributionSettings:
    integration = IntegrationSettings(steps=2, bounds=bounds)
    return SETTINGS.model_copy(update={"integration": integration})


@pytest.mark.parametrize("settings", [WORDS, with_bounds(LOOSE)])
def test_finished_rationales_are_not_run_again(
    tmp_path: Path, settings: AttributionSettings
) -> None:
    student = tiny_student("gpt2")
    freeze_model(student)
    score = partial(map, open_scorer(student, settings, None).score)
    rows = attributed_rows(4)
    path = tmp_path / "log.jsonl"
    counts: list[tuple[int, int]] = []
    with AttributionLog(path) as log:
        attribute_rationales(score, rows[:2], log, lambda *done: counts.append(done))
        assert counts[-1] == (2, 2)
    begun = path.read_bytes()
    with AttributionLog(path) as log:
        attribute_rationales(score, rows, log, lambda *done: counts.append(done))
        assert counts[-1] == (len(rows) - 2, len(rows) - 2)
        assert list(log.keys) == [item.key for item in rows]
        scored = [log.read(item.key) for item in rows]
    assert path.read_bytes().startswith(begun)
    for item, row in zip(rows, scored, strict=True):
        assert row.refused is None
        assert row.spans[0].start == 0
        assert row.spans[-1].end == len(item.rationale)


def test_words_of_a_rationale_have_a_span_each() -> None:
    student = tiny_student("gpt2")
    freeze_model(student)
    text = "A wooden boat floats."
    row = open_scorer(student, WORDS, None).score(
        AttributedRow(row_of(text), QUESTION, text)
    )
    assert [text[span.start : span.end] for span in row.spans] == text.split()
    assert [span.option for span in row.spans] == [True, True, True, False]
    assert (row.steps, row.completeness_error, row.rank_correlation) == (None,) * 3


def test_a_rationale_that_does_not_converge_is_refused_without_scores() -> None:
    student = tiny_student("gpt2")
    freeze_model(student)
    (item,) = attributed_rows(1)
    refused = open_scorer(student, with_bounds(TIGHT), None).score(item)
    assert (refused.refused, refused.steps, refused.spans) == (
        Refusal.COMPLETENESS,
        8,
        (),
    )
    assert refused.completeness_error is not None
    assert refused.rank_correlation is not None
    passed = open_scorer(student, with_bounds(BOUNDS), None).score(item)
    assert passed.refused is None
    assert passed.completeness_error is not None
    assert passed.completeness_error <= BOUNDS.max_completeness_error


@pytest.mark.parametrize("settings", [WORDS, with_bounds(LOOSE)])
def test_the_time_of_a_rationale_is_measured(settings: AttributionSettings) -> None:
    student = tiny_student("gpt2")
    freeze_model(student)
    scorer = open_scorer(student, settings, None)
    assert measure_seconds(scorer, attributed_rows(5)) > 0
    assert measure_seconds(scorer, attributed_rows(1)) > 0


@pytest.mark.parametrize(
    ("error", "rank", "refusal"),
    [
        (0.05, 0.9, None),
        (0.05, None, None),
        (0.0501, 0.9, Refusal.COMPLETENESS),
        (0.05, 0.89, Refusal.RANK_CORRELATION),
        (0.06, 0.89, Refusal.COMPLETENESS),
        (None, 1.0, Refusal.UNCHANGED),
        (math.nan, 1.0, Refusal.COMPLETENESS),
        (0.05, math.nan, Refusal.RANK_CORRELATION),
    ],
)
def test_bounds(
    error: float | None, rank: float | None, refusal: Refusal | None
) -> None:
    assert BOUNDS.find_refusal(error, rank) is refusal


def finished(
    number: int,
    error: float | None,
    rank: float | None,
    refused: Refusal | None = None,
) -> ScoredRationale:
    span = ScoredSpan(start=0, end=3, score=1.0, option=False)
    return ScoredRationale(
        question_id="q",
        sample_index=number,
        rationale_digest="d",
        spans=() if refused else (span,),
        steps=8 if refused else 4,
        completeness_error=error,
        rank_correlation=rank,
        refused=refused,
    )


def test_scores_are_summarised_with_what_was_refused() -> None:
    rows = [finished(number, number / 100, 0.5) for number in range(101)]
    rows += [
        finished(101, None, 0.5, Refusal.UNCHANGED),
        finished(102, 0.5, None, Refusal.COMPLETENESS),
        finished(103, 0.5, None, Refusal.COMPLETENESS),
    ]
    info = summarize_scores(SETTINGS, rows, ["f" * 16])
    assert info == ScoresInfo(
        student="s",
        method="integrated-gradients",
        steps=2,
        baseline="b",
        bounds=INTEGRATION.bounds,
        num_scored=101,
        refused={Refusal.COMPLETENESS: 2, Refusal.UNCHANGED: 1},
        steps_reached={4: 101, 8: 3},
        completeness_median=0.5,
        completeness_p95=info.completeness_p95,
        rank_correlation=0.5,
        num_compared=102,
        trained_on="f" * 12,
    )
    assert info.num_refused == 3
    assert info.completeness_p95 == pytest.approx(0.949)
    assert ScoresInfo.parse(info.model_dump(mode="json"), "test") == info


def test_words_are_summarised_without_steps() -> None:
    info = summarize_scores(WORDS, [], [])
    assert (info.method, info.num_scored, info.num_refused) == (
        "leave-one-word-out",
        0,
        0,
    )
    assert (info.steps, info.baseline, info.bounds, info.completeness_median) == (
        None,
    ) * 4


def test_the_info_of_version_1_is_read() -> None:
    old = {
        "format_version": 1,
        "student": "s",
        "method": "m",
        "steps": 1,
        "baseline": "b",
    }
    info = ScoresInfo.parse(old, "test")
    assert (info.format_version, info.bounds, info.num_scored) == (1, None, None)
