"""Find answers stated in languages other than English. Pure.

The language of a text need not be known. A noun such as "Antwort" or "答案" tells it,
and the words around it are then read as that language's: its verbs, its "not", its "if"
and its "or". Forms without such a noun ("also B") count only in a text that has other
words of the language. Texts are passed as `folding.fold` leaves them, and a second time
in lower case.
"""

import re
from collections.abc import Iterator
from itertools import islice

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.compare import answers_differ, option_table
from cotbuild.schemas.answers.language_detection import (
    find_languages_of_nouns,
    find_likely_languages,
)
from cotbuild.schemas.answers.language_patterns import CLOSING, WORD
from cotbuild.schemas.answers.language_places import (
    MAX_CUES,
    Place,
    Texts,
    find_cues,
    find_plain,
    is_conditional,
)
from cotbuild.schemas.answers.language_values import (
    ASKS,
    find_sentence_end,
    read_number,
    read_value,
)
from cotbuild.schemas.answers.read_value import ReadValue
from cotbuild.schemas.answers.statement import Statement, to_statement
from cotbuild.schemas.question import Question, QuestionKind

_LABEL_AT_END = re.compile(
    rf"(?P<open>[(\[\"'*]{{0,4}})(?:(?<![A-Za-z0-9])(?P<latin>[A-Za-z0-9]{{1,2}})"
    rf"|(?<!{WORD})(?P<other>[^\W_])){CLOSING}\Z"
)
_COMMA_CUE = re.compile(
    r"(answer[*_]{0,3} ?:|\\boxed\{|<answer>)(?=[ *_$\n]{0,6}-?[0-9][0-9.]{0,15},[0-9])"
)
_NUMBER_AT_END = re.compile(r"(?<![\w.,:/^])-?[0-9][0-9.,]{0,20}[%\"')\]*_ ]{0,4}\Z")


def find_language_statements(
    view: str, low: str, question: Question
) -> list[Statement]:
    """Return the answers stated in strong forms, such as "Die Antwort ist B"."""
    found: list[Statement] = []
    for patterns in find_languages_of_nouns(low):
        texts = Texts(view, low, question, patterns)
        found += _read_places(texts, find_cues(texts))
        if question.kind is QuestionKind.CHOICE and patterns.choose:
            found += _read_places(texts, find_plain(texts, patterns.choose, "choose"))
        called = list(_find_predicates(texts, patterns.is_answer, "is_answer", 0))
        if not answers_differ((one.answer for one in called), question):
            found += called  # else it is said of one option after the other
    if question.kind is QuestionKind.NUMBER:
        found += _find_decimal_commas(view, low, question)
    return _without_overlaps(found)


def _find_decimal_commas(
    view: str, low: str, question: Question
) -> Iterator[Statement]:
    """Yield numbers with a decimal comma behind an English cue or in a box.

    As "Answer: 29,50" in a French text; in English it is no number.
    """
    if "," not in low or not _COMMA_CUE.search(low):
        return
    for patterns in find_likely_languages(low, question):
        if not patterns.language.decimal_comma:
            continue
        for cue in islice(_COMMA_CUE.finditer(low), MAX_CUES):
            place = Place(
                f"decimal_comma:{patterns.language.code}",
                cue.start(),
                cue.end(1),
                False,
            )
            texts = Texts(view, low, question, patterns)
            yield from _read_places(texts, iter([place]))
        return


def find_weak_language_statements(
    view: str, low: str, begin: int, question: Question
) -> list[Statement]:
    """Return the answers from `begin` on in forms that are often no statement.

    Such as "also B" or "B ist richtig".
    """
    if question.kind not in (QuestionKind.CHOICE, QuestionKind.YES_NO):
        return []
    found: list[Statement] = []
    for patterns in find_likely_languages(low, question):
        texts = Texts(view, low, question, patterns)
        places = find_plain(texts, patterns.weak, "so", begin)
        found += _read_places(texts, places)
        found += _find_predicates(texts, patterns.is_correct, "is_correct", begin)
    if answers_differ((statement.answer for statement in found), question):
        return []  # "B is right" of one option after the other
    return _without_overlaps(found)


def _without_overlaps(found: list[Statement]) -> list[Statement]:
    """Return the statements in order, one for each place.

    Languages share words, and "die richtige Antwort ist B" is found twice.
    """
    kept: list[Statement] = []
    for statement in sorted(found, key=lambda one: (one.answer_start, one.start)):
        if not kept or statement.answer_start >= kept[-1].answer_end:
            kept.append(statement)
    return kept


def _read_places(texts: Texts, places: Iterator[Place]) -> Iterator[Statement]:
    for place in places:
        if is_conditional(texts, place.start):
            continue
        value = read_value(texts, place)
        if value is not None:
            end = find_sentence_end(texts, value.end)
            yield to_statement(place.rule, value, start=place.start, end=end)


def _find_predicates(
    texts: Texts, pattern: re.Pattern[str] | None, rule: str, begin: int
) -> Iterator[Statement]:
    """Yield the values that a predicate follows: "B ist die richtige Antwort"."""
    if pattern is None:
        return
    code = texts.patterns.language.code
    for match in islice(pattern.finditer(texts.low, begin), MAX_CUES):
        window_start = max(begin, match.start() - 30)
        value = _read_before(texts, window_start, match.start())
        if value is None or ASKS.match(texts.view, match.end()):
            continue
        if is_conditional(texts, value.start):
            continue
        yield to_statement(
            f"{rule}:{code}",
            value._replace(complete=True),
            start=value.start,
            end=p.sentence_end(texts.view, match.end()),
        )


def _read_before(texts: Texts, start: int, stop: int) -> ReadValue | None:
    """Read a label or a number that ends at `stop`."""
    view, question = texts.view, texts.question
    if question.kind is QuestionKind.NUMBER:
        number = _NUMBER_AT_END.search(view, start, stop)
        return read_number(texts, number.start(), stop) if number else None
    if question.kind is not QuestionKind.CHOICE:
        return None
    found = _LABEL_AT_END.search(view, start, stop)
    if found is None:
        return None
    group = "latin" if found["latin"] else "other"
    name = found[group]
    label = option_table(question).labels.get(name.casefold())
    is_word = name.islower() and not found["open"]
    if label is None:
        return None
    if is_word and not _ends_with_option_noun(texts, start, found.start()):
        return None
    return ReadValue(label, *found.span(group), complete=True)


def _ends_with_option_noun(texts: Texts, start: int, stop: int) -> bool:
    before = texts.low[start:stop].rstrip(" :*_(\"'")
    return before.endswith(texts.patterns.language.option)
