"""What is read from texts in other languages than English.

Each module beside this one is a table that a speaker of the language can read.
"""

from types import ModuleType

import pytest

from cotbuild.schemas.answers.extract import extract_answer
from cotbuild.schemas.answers.languages import LANGUAGES
from cotbuild.schemas.question import Question, QuestionKind
from tests.schemas.answers.languages import (
    ar,
    bn,
    de,
    es,
    fr,
    hi,
    it,
    ja,
    ko,
    nl,
    pl,
    pt,
    ru,
    tr,
    vi,
    zh,
)

TABLES = (ar, bn, de, es, fr, hi, it, ja, ko, nl, pl, pt, ru, tr, vi, zh)


def cases() -> list[tuple[str, QuestionKind, str, str | None]]:
    return [
        (code_of(table), kind, text, answer)
        for table in TABLES
        for kind in QuestionKind
        for text, answer in getattr(table, kind.upper())
    ]


def code_of(table: ModuleType) -> str:
    return table.__name__.rpartition(".")[2]


def ask(table: ModuleType, kind: QuestionKind) -> Question:
    choices = table.OPTIONS if kind is QuestionKind.CHOICE else ()
    return Question.create(table.QUESTION, choices=choices, kind=kind)


@pytest.mark.parametrize(("code", "kind", "text", "answer"), cases())
def test_answer(code: str, kind: QuestionKind, text: str, answer: str | None) -> None:
    table = next(table for table in TABLES if code_of(table) == code)

    extraction = extract_answer(text, ask(table, kind))

    assert extraction.answer == answer
    if answer is not None:
        assert extraction.answer_start is not None
        assert text[extraction.answer_start : extraction.answer_end]


@pytest.mark.parametrize(("code", "kind", "text", "answer"), cases())
def test_answer_in_an_english_context(
    code: str, kind: QuestionKind, text: str, answer: str | None
) -> None:
    """An English question and an English reason change no answer behind a noun."""
    table = next(table for table in TABLES if code_of(table) == code)
    question = ask(table, kind)
    rule = extract_answer(text, question).answer_rule or ""
    english = question.model_copy(update={"text": "Which of these is it?"})

    extraction = extract_answer(f"Let me think about it.\n{text}", english)

    if rule.startswith("answer_is:"):
        assert extraction.answer == answer


def test_every_language_has_a_table() -> None:
    assert {language.code for language in LANGUAGES} == {code_of(t) for t in TABLES}
