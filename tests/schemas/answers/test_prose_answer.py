"""Answers in prose: read by line heads, graded scored, never right or wrong."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.schemas.answers.grade import (
    PLAIN_GRADING,
    GradedCompletion,
    GradingRules,
    grade_completion,
    without_given_answer,
)
from cotbuild.schemas.answers.prose_scores import PROSE_METRICS, ProseScorer
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.rationale import Flag, Verdict
from tests.support.commands import DATA

ASKED = Question.create(
    "The dog runs.", kind=QuestionKind.PROSE, target="Der Hund rennt."
)
LONG = "Der Hund läuft.\n\nEr bellt: „Wau!“"


def grade(text: str, question: Question = ASKED, **options: Any) -> GradedCompletion:
    return grade_completion(question, text, **options)


@pytest.mark.parametrize(
    ("text", "answer", "rationale"),
    [
        ("The verb matters.\n\nTranslation: Der Hund läuft.", "Der Hund läuft.", "The verb matters."),
        ("The verb matters.\nAnswer:\nDer Hund läuft.\n", "Der Hund läuft.", "The verb matters."),
        ("It runs.\n\n**Answer:** Der Hund läuft.", "Der Hund läuft.", "It runs."),
        ("It runs.\n\n**Answer**: **Der Hund läuft.**", "Der Hund läuft.", "It runs."),
        ("It runs.\n\n## Answer\n\nDer Hund läuft.", "Der Hund läuft.", "It runs."),
        ("It runs.\n**Final translation**\nDer Hund läuft.", "Der Hund läuft.", "It runs."),
        ("It runs.\nAntwort: Der Hund läuft.", "Der Hund läuft.", "It runs."),
        ("它跑。\n答案：狗在跑。", "狗在跑。", "它跑。"),
        (f"It runs.\nAnswer: {LONG}", LONG, "It runs."),
        ('It runs.\nAnswer: "Der Hund läuft."', "Der Hund läuft.", "It runs."),
        ('It runs.\nAnswer: "Ja" und "Nein"', '"Ja" und "Nein"', "It runs."),
        ("It runs.\nAnswer:\n```\nDer Hund läuft.\n```", "Der Hund läuft.", "It runs."),
        # The last line head counts.
        ("Answer: eins\nNo, it runs.\nAnswer: zwei", "zwei", "eins\nNo, it runs."),
        # Thoughts do not count.
        ("<think>Answer: eins</think>It runs.\nAnswer: zwei", "zwei", "It runs."),
        ("It runs.\nAnswer: zwei\n<think>Answer: eins</think>", "zwei", "It runs."),
        # The answer first, although it was to come last.
        ("Answer: Der Hund läuft.\n\nExplanation: It runs.", "Der Hund läuft.", "It runs."),
    ],
)  # fmt: skip
def test_the_text_behind_the_last_line_head_is_the_answer(
    text: str, answer: str, rationale: str
) -> None:
    found = grade(text)
    assert (found.answer, found.rationale) == (answer, rationale)
    assert found.verdict is Verdict.SCORED
    assert found.verdict_rule is None
    start, end = found.answer_start, found.answer_end
    assert start is not None
    assert text[start:end] == answer


@pytest.mark.parametrize(
    "text",
    [
        "Der Hund läuft.",
        "I think the answer is: yes.",
        "Answer the question: it runs.",
        "It runs.\nanswer\nDer Hund läuft.",
        "It runs.\nAnswer:",
        "It runs.\nAnswer: **",
        "<think>Answer: eins</think>It runs.",
        "",
    ],
)
def test_a_text_without_a_line_head_states_no_answer(text: str) -> None:
    found = grade(text)
    assert (found.answer, found.verdict) == (None, Verdict.NO_ANSWER)
    assert (found.answer_rule, found.answer_start) == (None, None)


@pytest.mark.parametrize(
    ("text", "answer", "rationale"),
    [
        (f"{LONG}\n\nExplanation: It runs.", LONG, "It runs."),
        ("Translation: Der Hund läuft.\n\n**Reasoning**\nIt runs.", "Der Hund läuft.", "It runs."),
        ("Der Hund läuft.\nErklärung: Er rennt.", "Der Hund läuft.", "Er rennt."),
        ("Der Hund läuft.", "Der Hund läuft.", ""),
        # The rationale first, although it was to come last.
        ("Explanation: It runs.\n\nAnswer: Der Hund läuft.", "Der Hund läuft.", "It runs."),
    ],
)  # fmt: skip
def test_an_answer_that_comes_first_ends_at_the_rationale(
    text: str, answer: str, rationale: str
) -> None:
    found = grade(text, answer_first=True)
    assert (found.answer, found.rationale) == (answer, rationale)


def test_an_answer_alone_is_read_by_its_line_head() -> None:
    found = grade("Translation: Der Hund läuft.")
    assert (found.answer, found.answer_rule) == ("Der Hund läuft.", "answer_head")
    assert found.flags == (Flag.EMPTY,)


def test_the_line_head_of_the_template_counts_before_common_ones() -> None:
    text = "It runs.\nVersion: Der Hund läuft.\nResult: good"
    assert grade(text).answer == "good"
    found = grade(text, answer_head="Version")
    assert found.answer == "Der Hund läuft.\nResult: good"
    assert grade("It runs.\nAnswer: eins", answer_head="Version").answer == "eins"


@pytest.mark.parametrize(
    ("text", "answer_first", "verdict", "flags"),
    [
        ("It runs.\nAnswer: Der Hu", False, Verdict.TRUNCATED, ()),
        ("It ru", False, Verdict.TRUNCATED, ()),
        ("Der Hund lä", True, Verdict.TRUNCATED, (Flag.EMPTY,)),
        ("Der Hund läuft.\n\nExplanation: It ru", True, Verdict.SCORED, (Flag.CUT,)),
    ],
)
def test_a_cut_text_is_truncated_unless_something_follows_its_answer(
    text: str, answer_first: bool, verdict: Verdict, flags: tuple[Flag, ...]
) -> None:
    found = grade(text, finish_reason="length", answer_first=answer_first)
    assert (found.verdict, found.flags) == (verdict, flags)


@pytest.mark.parametrize(
    ("text", "heads"),
    [
        ("It runs.\nAnswer: eins\n\nQuestion: The cat?\nAnswer: zwei", ()),
        ("It runs.\nAnswer: eins<|im_end|>\nMore.", ()),
        ("It runs.\nAnswer: eins\nSource: The cat.\nAnswer: zwei", ("source",)),
        ("It runs.\nAnswer: eins\n\nExplanation: It runs.", ()),
    ],
)
def test_what_follows_the_answer_is_run_on_text(
    text: str, heads: tuple[str, ...]
) -> None:
    found = grade(text, heads=heads)
    assert (found.answer, found.flags) == ("eins", (Flag.RUN_ON,))
    assert found.rationale == "It runs."


def test_a_json_object_is_read_if_it_was_asked_for() -> None:
    text = '{"rationale": "It runs.", "answer": "Der Hund\\nläuft."}'
    found = grade(text, as_json=True)
    assert (found.answer, found.rationale) == ("Der Hund\nläuft.", "It runs.")
    assert found.answer_rule == "json_field"
    assert grade(text).verdict is Verdict.NO_ANSWER
    cut = grade(text[:-5], as_json=True, finish_reason="length")
    assert (cut.answer, cut.verdict) == (None, Verdict.TRUNCATED)


def test_no_letter_number_or_yes_is_an_answer() -> None:
    for text in ("The answer is (B).", "\\boxed{42}", "Yes.", "#### 42"):
        assert grade(text).answer is None


def test_the_reference_in_the_rationale_is_no_leak() -> None:
    found = grade("Der Hund rennt.\nAnswer: Der Hund rennt.")
    assert found.flags == ()


def test_a_refusal_is_flagged_only_where_nothing_is_answered() -> None:
    refused = grade("I'm sorry, I cannot answer that.")
    assert refused.flags == (Flag.REFUSAL,)
    quoted = grade("It apologises.\nAnswer: I'm sorry, I cannot answer that.")
    assert quoted.flags == ()


def test_an_answer_is_scored_against_the_best_reference() -> None:
    pytest.importorskip("sacrebleu")
    grading = GradingRules(prose_scorer=ProseScorer())
    several = ASKED.model_copy(update={"other_targets": ("Der Hund läuft.",)})
    found = grade("It runs.\nAnswer: Der Hund läuft.", several, grading=grading)
    assert [score.metric for score in found.scores] == list(PROSE_METRICS)
    assert [score.value for score in found.scores] == [100, 100, 100]
    worse = grade("It runs.\nAnswer: Der Hund läuft.", grading=grading)
    assert all(0 < score.value < 100 for score in worse.scores)
    assert grade("It runs.\nAnswer: Der Hund läuft.").scores == ()


def test_a_given_target_is_scored_without_scores() -> None:
    pytest.importorskip("sacrebleu")
    grading = GradingRules(prose_scorer=ProseScorer())
    text = " The verb matters.\n\nHuman: And the cat?"
    found = grade(text, given=ASKED.target, grading=grading)
    assert (found.answer, found.answer_rule) == ("Der Hund rennt.", "given_target")
    assert (found.verdict, found.scores) == (Verdict.SCORED, ())
    assert found.rationale == "The verb matters."
    column = grade(
        text, given="Ein Hund rennt.", given_by="answer_column", grading=grading
    )
    assert len(column.scores) == len(PROSE_METRICS)
    assert without_given_answer(column, "answer_column", ASKED).scores == ()


def test_a_question_without_references_is_unscored() -> None:
    asked = ASKED.model_copy(update={"target": None})
    found = grade("It runs.\nAnswer: Der Hund läuft.", asked)
    assert (found.answer, found.verdict) == ("Der Hund läuft.", Verdict.UNSCORED)


@pytest.mark.needs_data
@pytest.mark.parametrize("language", ["deu", "isl", "vie", "zho-CN"])
def test_every_reference_is_read_as_it_is_written(language: str) -> None:
    folder = DATA / "tasks" / "mt_ntrex"
    names = ("src.eng", f"ref.{language}")
    files = [folder / f"newstest2019-{name}.txt" for name in names]
    lines = [file.read_text(encoding="utf-8").splitlines() for file in files]
    changed = []
    for text, reference in zip(*lines, strict=True):
        asked = Question.create(text, kind=QuestionKind.PROSE, target=reference)
        last = grade(
            f"The words matter.\n\nTranslation: {reference}", asked, flags=False
        )
        first = grade(
            f"{reference}\n\nExplanation: the words.",
            asked,
            answer_first=True,
            flags=False,
        )
        if not last.answer == first.answer == reference.strip():
            changed.append(reference)
    assert changed == []


@given(
    text=st.text() | st.text("Answer: *#\n\"“<think>/{}'ab", max_size=80),
    answer_first=st.booleans(),
    as_json=st.booleans(),
)
def test_any_text_is_graded_and_its_answer_is_in_it(
    text: str, answer_first: bool, as_json: bool
) -> None:
    found = grade_completion(
        ASKED,
        text,
        answer_first=answer_first,
        as_json=as_json,
        finish_reason=None,
        grading=PLAIN_GRADING,
    )
    assert found.verdict in (Verdict.SCORED, Verdict.NO_ANSWER)
    has_thoughts = "<" in text
    if found.answer is not None and not as_json and not has_thoughts:
        assert text[found.answer_start : found.answer_end] == found.answer
