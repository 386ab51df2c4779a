"""Scores of words equal a plain computation that runs every text by itself."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.variants.units import word_spans, words
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.variant_rows import TrainingRow
from cotbuild.student.attribution.words import (
    find_words,
    leave_one_word_out,
    make_word_case,
    remove_word,
)
from cotbuild.student.evaluation.options import tokenize_options
from cotbuild.student.model import Student
from tests.student.attribution.test_gradients import LAYOUT, OPTIONS, RATIONALE, row_of
from tests.support.tiny import FAMILIES, shared_student

RATIONALES = (
    RATIONALE,
    "Wood floats.",
    "very very heavy: an iron nail sinks\nso does a stone",
    "one",
)


@given(st.text())
def test_words_are_those_that_variants_keep(text: str) -> None:
    assert find_words(text) == word_spans(text)


@given(st.text(alphabet="ab \n\t½ "), st.integers(min_value=0))
def test_one_word_is_missing_and_no_other_changes(text: str, number: int) -> None:
    spans = find_words(text)
    if not spans:
        return
    at = number % len(spans)
    left = words(remove_word(text, spans[at]))
    assert left == words(text)[:at] + words(text)[at + 1 :]


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("a b c", ["b c", "a c", "a b"]),
        ("a.\nB c", ["B c", "a.\nc", "a.\nB"]),
        ("  a  b ", ["  b ", "  a "]),
        ("one", [""]),
    ],
)
def test_the_white_space_after_a_word_goes_too(text: str, without: list[str]) -> None:
    assert [remove_word(text, span) for span in find_words(text)] == without


def plain_f(student: Student, row: TrainingRow, rationale: str) -> float:
    """f with each option's whole text in a pass of its own."""
    label = row.completion[row.label_start : row.label_end]
    answers = list(dict.fromkeys([label, *row.choices]))
    options = tokenize_options(
        student.tokenizer, LAYOUT, row.prompt, answers, rationale
    )
    log_probs = []
    for option in options:
        with torch.no_grad():
            logits = student.model(torch.tensor([option.ids_T]), use_cache=False).logits
        logp_T_V = logits[0].log_softmax(-1)
        places = range(min(each.start for each in options), len(option.ids_T))
        log_probs.append(
            sum(float(logp_T_V[at - 1, option.ids_T[at]]) for at in places)
        )
    return log_probs[0] - sum(log_probs[1:]) / max(1, len(log_probs) - 1)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("batch_tokens", [1, 90, 100_000])
def test_scores_equal_the_plain_computation_however_texts_are_packed(
    family: str, batch_tokens: int
) -> None:
    """Gemma looks back over 16 tokens, so nothing of it is run once for many."""
    student = shared_student(family)
    for rationale in RATIONALES:
        row = row_of(rationale)
        case = make_word_case(student.tokenizer, LAYOUT, row, QuestionKind.CHOICE)
        found = leave_one_word_out(student, case, batch_tokens)
        whole = plain_f(student, row, rationale)
        expected = [
            whole - plain_f(student, row, remove_word(rationale, span))
            for span in find_words(rationale)
        ]
        assert found == pytest.approx(expected, abs=1e-5)
        assert max(map(abs, expected)) > 0.001


def test_without_other_options_it_is_the_log_probability_of_the_label_alone() -> None:
    student = shared_student("gpt2")
    row = row_of(label="12", choices=())
    case = make_word_case(student.tokenizer, LAYOUT, row, QuestionKind.NUMBER)
    assert len(case.whole.options) == 1
    scores_W = leave_one_word_out(student, case, 1_000)
    whole = plain_f(student, row, RATIONALE)
    assert whole < 0
    assert scores_W[0] == pytest.approx(
        whole - plain_f(student, row, RATIONALE.partition(" ")[2]), abs=1e-5
    )


def test_options_of_the_same_text_count_once() -> None:
    student = shared_student("gpt2")
    row = row_of(choices=(*OPTIONS, OPTIONS[0]))
    case = make_word_case(student.tokenizer, LAYOUT, row, QuestionKind.CHOICE)
    assert {len(text.options) for text in (case.whole, *case.without_W)} == {3}
