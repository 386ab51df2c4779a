"""What is read from texts in other languages than English.

Each module beside this one is a table that a speaker of the language can read.
"""

import unicodedata
from types import ModuleType
from typing import Literal

import pytest

from cotbuild.schemas.answers.extract import extract_answer
from cotbuild.schemas.answers.languages.table import LANGUAGES
from cotbuild.schemas.answers.rule import ALL
from cotbuild.schemas.question import Question, QuestionKind
from tests.schemas.answers.languages import (
    ar,
    bn,
    de,
    es,
    fr,
    hi,
    id,
    it,
    ja,
    ko,
    nl,
    pl,
    pt,
    ru,
    sw,
    te,
    th,
    tr,
    vi,
    zh,
)

TABLES = (
    ar,
    bn,
    de,
    es,
    fr,
    hi,
    id,
    it,
    ja,
    ko,
    nl,
    pl,
    pt,
    ru,
    sw,
    te,
    th,
    tr,
    vi,
    zh,
)


def cases() -> list[tuple[str, QuestionKind, str, str | None]]:
    return [
        (code_of(table), kind, text, answer)
        for table in TABLES
        for kind in QuestionKind
        if kind in ALL
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


@pytest.mark.parametrize(("code", "kind", "text", "answer"), cases())
def test_answer_with_marks_apart(
    code: str, kind: QuestionKind, text: str, answer: str | None
) -> None:
    """Accents and vowel signs may be characters of their own (NFD)."""
    table = next(table for table in TABLES if code_of(table) == code)

    extraction = extract_answer(unicodedata.normalize("NFD", text), ask(table, kind))

    found = extraction.answer and unicodedata.normalize("NFC", extraction.answer)
    assert found == answer


OTHER_LABELS = (
    ("bn", "কখগঘ", "সঠিক উত্তর হল (খ) ঢাকা।", "খ"),
    ("bn", "কখগঘ", "উত্তর: ক", "ক"),
    ("ar", "أبجد", "الإجابة الصحيحة هي ب", "ب"),
    ("ar", "أبجد", "الجواب: ا.", "أ"),
    ("ru", "АБВГ", "Правильный ответ — В) груша", "В"),
    ("ru", "АБВГ", "Ответ: B", "В"),
    ("ru", "ABCD", "Ответ: В", "B"),
    ("ja", "アイウエ", "正解はイです。", "イ"),
    ("ja", "アイウエ", "イが正解です。", "イ"),
    ("ko", "가나다라", "정답은 나입니다.", "나"),
    ("ko", "1234", "정답은 2번입니다.", "2"),
    ("ko", "1234", "정답: ② 서울", "2"),
    ("zh", "1234", "故选②。", "2"),
    ("zh", "①②③④", "答案是2", "②"),
    ("hi", "कखगघ", "सही उत्तर (ख) दिल्ली है।", "ख"),
)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize(("code", "labels", "text", "answer"), OTHER_LABELS)
def test_labels_of_other_scripts(
    form: Literal["NFC", "NFD"], code: str, labels: str, text: str, answer: str
) -> None:
    table = next(table for table in TABLES if code_of(table) == code)
    question = ask(table, QuestionKind.CHOICE)
    choices = tuple(
        choice.model_copy(update={"label": label})
        for choice, label in zip(question.choices, labels, strict=True)
    )

    extraction = extract_answer(
        unicodedata.normalize(form, text),
        question.model_copy(update={"choices": choices}),
    )

    assert extraction.answer == answer


@pytest.mark.parametrize(
    ("code", "text", "rationale"),
    [
        ("de", "Berlin ist groß. Daher lautet die Antwort: **B**", "Berlin ist groß."),
        ("de", "**Begründung:** Es ist so.\n\n**Antwort:** B", "Es ist so."),
        ("fr", "C'est grand. La bonne réponse est donc la B.", "C'est grand."),
        ("zh", "解析：北京是首都。因此，正确答案是B。", "北京是首都。"),
        ("ja", "東京は首都です。したがって、正解はBです。", "東京は首都です。"),
        ("ko", "서울은 수도입니다. 따라서 정답은 B입니다.", "서울은 수도입니다."),
        ("hi", "दिल्ली राजधानी है। इसलिए सही उत्तर B है।", "दिल्ली राजधानी है।"),
        ("ar", "القاهرة عاصمة. لذلك الإجابة الصحيحة هي B.", "القاهرة عاصمة."),
    ],
)
def test_rationale(code: str, text: str, rationale: str) -> None:
    table = next(table for table in TABLES if code_of(table) == code)

    extraction = extract_answer(text, ask(table, QuestionKind.CHOICE))

    assert extraction.answer == "B"
    assert extraction.rationale == rationale


@pytest.mark.parametrize(
    ("code", "kind", "text", "answer", "rationale"),
    [
        ("de", "choice", "Die Antwort ist B, weil sie groß ist.", "B", "sie groß ist."),
        ("es", "choice", "La respuesta es B porque es grande.", "B", "es grande."),
        ("zh", "choice", "答案是B，因为北京是首都。", "B", "北京是首都。"),
        ("de", "yes_no", "Ja, weil sie groß ist.", "yes", "sie groß ist."),
        ("zh", "yes_no", "是的，因为北京是首都。", "yes", "北京是首都。"),
        ("ru", "choice", "Ответ: B\nОбъяснение: это столица.", "B", "это столица."),
    ],
)
def test_answer_first(
    code: str, kind: str, text: str, answer: str, rationale: str
) -> None:
    table = next(table for table in TABLES if code_of(table) == code)
    question = ask(table, QuestionKind(kind))

    extraction = extract_answer(text, question, answer_first=True)

    assert extraction.answer == answer
    assert extraction.rationale == rationale


def test_every_language_has_a_table() -> None:
    assert {language.code for language in LANGUAGES} == {code_of(t) for t in TABLES}
