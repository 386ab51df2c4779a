"""Find answers stated in languages other than English. Pure.

The language of a text need not be known. A noun such as "Antwort" or "答案" tells it,
and the words around it are then read as that language's: its verbs, its "not", its "if"
and its "or". Forms without such a noun ("also B") count only in a text that has other
words of the language. Texts are passed as `folding.fold` leaves them, and a second time
in lower case.
"""

import re
from collections.abc import Iterator
from itertools import islice, zip_longest
from typing import NamedTuple

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.compare import OptionTable, answers_differ, option_table
from cotbuild.schemas.answers.language_numbers import scale_number, write_in_english
from cotbuild.schemas.answers.language_patterns import (
    CLOSING,
    WORD,
    LanguagePatterns,
    languages_of_nouns,
    likely_languages,
)
from cotbuild.schemas.answers.readers import READERS, ReadValue
from cotbuild.schemas.question import Question, QuestionKind

_MAX_CUES = 64
"""Cues of one language read at the end of a text."""
_READ_CHARS = 400
_LEAD_CHARS = 100
_SENTENCE_CHARS = 300
"""How far before a cue its sentence is searched for "if"."""
_BESIDE_CHARS = 4
"""How far before a noun its adjective may end."""
_DENIAL_CHARS = 6
"""How far from the end of its clause a denial may be: नहीं है."""
_OPENING = re.compile(r"[ \n*_\"'`$(\[{<~#>]{0,12}")
_CLOSED = re.compile(rf"{CLOSING}(?:[.,;:!?。\n(]|\Z)")
_ASKS = re.compile(r"[\"')\]*_ ]{0,4}\?")
_SENTENCE_START = re.compile(r"[.!?。\n](?=[^.!?。\n]*\Z)")
_HEADING = re.compile(r"(?:\A|\n)[ >]{0,3}[#*_]{1,6}[^\n]{0,30}\Z")
_LABEL_AT_END = re.compile(
    rf"(?P<open>[(\[\"'*]{{0,4}})(?:(?<![A-Za-z0-9])(?P<latin>[A-Za-z0-9]{{1,2}})"
    rf"|(?<!{WORD})(?P<other>[^\W_])){CLOSING}\Z"
)
_CLOSING_MARKS = re.compile(r"[)\]*\"']{0,4}")
_LATIN = re.compile(r"[a-z0-9]")
# A tag, or a letter of another script: the A of "A <eoa>" is no article.
_LABEL_ENDS = re.compile(r"[)\]*\"']{0,4}(?: ?<| +[\u0590-\uffff])")
_SEVERAL_LABELS = re.compile(
    r"[ \n*_\"'`$(\[{<~#>]{0,12}(?P<labels>[A-Z]{2,6})(?![A-Za-z])"
)
_OTHER_NUMBER = re.compile(r"[^,(=:/\n]{0,80}?[^\d,(=:/\n.](?P<number>[0-9]+)")
_LIST_MARK = re.compile(r"[*_]{0,2}[.)][*_]{0,2} +\S")
_COMMA_CUE = re.compile(
    r"(answer[*_]{0,3} ?:|\\boxed\{|<answer>)(?=[ *_$\n]{0,6}-?[0-9][0-9.]{0,15},[0-9])"
)
_COMMA = re.compile(r"[)\]*_\"' ]{0,4},? ?")
_NUMBER = re.compile(r"[-$€£¥]{0,2}[0-9][0-9.,/]{0,30}")
_NUMBER_AT_END = re.compile(r"(?<![\w.,:/^])-?[0-9][0-9.,]{0,20}[%\"')\]*_ ]{0,4}\Z")
_ANOTHER = re.compile(
    r"[ *_(\[\"']{0,5}(?:[a-z0-9]{1,2}(?![a-z0-9])|[^\W_]{1,2}(?![^\W_])|[0-9])"
)
_UNIT_ONLY = re.compile(
    rf"{CLOSING}(?:[^\W\d_]{WORD}{{0,20}}{CLOSING}){{0,2}}[.!。]?\s*\Z"
)


class LanguageStatement(NamedTuple):
    """A place where an answer is stated. Offsets are into the text."""

    rule: str
    start: int
    answer_start: int
    answer_end: int
    end: int
    """Of its sentence, or where the reason for it begins."""
    answer: str | None
    complete: bool


class _Place(NamedTuple):
    """Where a cue has been found."""

    rule: str
    start: int
    """Of the introduction."""
    end: int
    """Where the value begins."""
    needs_close: bool
    """Whether only a value that comes first and fills its clause counts."""
    is_heading: bool = False
    """Whether a colon or a line break leads to the value, and no verb."""
    needs_tail: bool = False
    """Whether the verb has to come behind the value: "dass die Antwort B ist"."""


class _Texts(NamedTuple):
    view: str
    low: str
    question: Question
    patterns: LanguagePatterns


# --- entry points ---


def find_language_statements(
    view: str, low: str, question: Question
) -> list[LanguageStatement]:
    """Return the answers stated in strong forms, such as "Die Antwort ist B"."""
    found: list[LanguageStatement] = []
    for patterns in languages_of_nouns(low):
        texts = _Texts(view, low, question, patterns)
        found += _read_places(texts, _find_cues(texts))
        if question.kind is QuestionKind.CHOICE and patterns.choose:
            found += _read_places(texts, _find_plain(texts, patterns.choose, "choose"))
        called = list(_find_predicates(texts, patterns.is_answer, "is_answer", 0))
        if not answers_differ((one.answer for one in called), question):
            found += called  # else it is said of one option after the other
    if question.kind is QuestionKind.NUMBER:
        found += _find_decimal_commas(view, low, question)
    return _without_overlaps(found)


def _find_decimal_commas(
    view: str, low: str, question: Question
) -> Iterator[LanguageStatement]:
    """Yield numbers with a decimal comma behind an English cue or in a box.

    As "Answer: 29,50" in a French text; in English it is no number.
    """
    if "," not in low or not _COMMA_CUE.search(low):
        return
    for patterns in likely_languages(f"{question.text.lower()}\n{low[:4000]}"):
        if not patterns.language.decimal_comma:
            continue
        for cue in islice(_COMMA_CUE.finditer(low), _MAX_CUES):
            place = _Place(
                f"decimal_comma:{patterns.language.code}",
                cue.start(),
                cue.end(1),
                False,
            )
            texts = _Texts(view, low, question, patterns)
            yield from _read_places(texts, iter([place]))
        return


def find_weak_language_statements(
    view: str, low: str, begin: int, question: Question
) -> list[LanguageStatement]:
    """Return the answers from `begin` on in forms that are often no statement.

    Such as "also B" or "B ist richtig".
    """
    if question.kind not in (QuestionKind.CHOICE, QuestionKind.YES_NO):
        return []
    found: list[LanguageStatement] = []
    for patterns in likely_languages(f"{question.text.lower()}\n{low[:4000]}"):
        texts = _Texts(view, low, question, patterns)
        places = _find_plain(texts, patterns.weak, "so", begin)
        found += _read_places(texts, places)
        found += _find_predicates(texts, patterns.is_correct, "is_correct", begin)
    if answers_differ((statement.answer for statement in found), question):
        return []  # "B is right" of one option after the other
    return _without_overlaps(found)


def _without_overlaps(found: list[LanguageStatement]) -> list[LanguageStatement]:
    """Return the statements in order, one for each place.

    Languages share words, and "die richtige Antwort ist B" is found twice.
    """
    kept: list[LanguageStatement] = []
    for statement in sorted(found, key=lambda one: (one.answer_start, one.start)):
        if not kept or statement.answer_start >= kept[-1].answer_end:
            kept.append(statement)
    return kept


# --- cues ---


def _find_cues(texts: _Texts) -> Iterator[_Place]:
    """Yield the places behind "the answer is"."""
    code = texts.patterns.language.code
    matches = list(texts.patterns.cue.finditer(texts.low))[-_MAX_CUES:]
    found = (_place(texts, match, f"answer_is:{code}") for match in matches)
    places = [place for place in found if place is not None]
    introduction: int | None = None
    for place, following in zip_longest(places, places[1:]):
        start = place.start if introduction is None else introduction
        introduction = None
        if following and _only_leads_over(texts, place.end, following.start):
            introduction = start
            continue
        yield place._replace(start=start)


def _place(texts: _Texts, match: re.Match[str], rule: str) -> _Place | None:
    """Return the place behind a cue; None if the words before it make it none."""
    patterns, low = texts.patterns, texts.low
    window_start = max(0, match.start() - _LEAD_CHARS)
    window = low[window_start : match.start()]
    if _is_other_noun(texts, window):
        return None
    lead = patterns.lead.search(window)
    start = window_start + (lead.start() if lead else len(window))
    has_adjective = lead is not None and lead["adjective"] is not None
    if match["option"] and not has_adjective and not match["after"]:
        return None
    if match[0].endswith("\n") and not _HEADING.search(window):
        return None
    before = window[: lead.start() if lead else None].rstrip(" *_")
    if "]" in match[0] and before:
        if before[-1] not in "[\n":
            return None
        start = window_start + len(before) - 1
    if patterns.doubt.search(low, max(0, start - _LEAD_CHARS), start):
        return None
    is_bare = match.re.groupindex.get("bare") is not None and match["bare"] is not None
    is_inverted = lead is not None and "verb" in lead.re.groupindex and lead["verb"]
    needs_tail = is_bare and not patterns.language.bare and not is_inverted
    is_heading = match[0].rstrip("*_\"' ").endswith((":", "=", "\n"))
    is_solution = patterns.solution and patterns.solution.fullmatch(match["noun"] or "")
    needs_close = is_bare or (is_heading and bool(is_solution))
    return _Place(rule, start, match.end(), needs_close, is_heading, needs_tail)


def _is_other_noun(texts: _Texts, before: str) -> bool:
    """Return whether the noun is not that of the answer: "the wrong answer is"."""
    wrong = list(texts.patterns.wrong.finditer(before))
    if not wrong or len(before) - wrong[-1].end() > _BESIDE_CHARS:
        return False
    return texts.patterns.wrong.search(texts.question.text.lower()) is None


def _only_leads_over(texts: _Texts, end: int, next_start: int) -> bool:
    """Return whether only marks are between two cues: "Antwort: Die Antwort ist B"."""
    return end <= next_start <= end + _LEAD_CHARS and not texts.low[
        end:next_start
    ].strip(p.EDGE + ".")


def _find_plain(
    texts: _Texts, pattern: re.Pattern[str], rule: str, begin: int = 0
) -> Iterator[_Place]:
    """Yield the places behind words after which only a value that fills its clause counts."""
    code = texts.patterns.language.code
    for match in list(pattern.finditer(texts.low, begin))[-_MAX_CUES:]:
        yield _Place(f"{rule}:{code}", match.start(), match.end(), needs_close=True)


# --- values ---


def _read_places(
    texts: _Texts, places: Iterator[_Place]
) -> Iterator[LanguageStatement]:
    for place in places:
        if _is_conditional(texts, place.start):
            continue
        value = _read_value(texts, place)
        if value is not None:
            yield LanguageStatement(
                rule=place.rule,
                start=place.start,
                answer_start=value.start,
                answer_end=value.end,
                end=_sentence_end(texts, value.end),
                answer=value.answer,
                complete=value.complete,
            )


def _is_conditional(texts: _Texts, start: int) -> bool:
    """Return whether "if" or "for example" comes before `start` in its sentence.

    A "so" takes it back, and for a number a comma does: "If we add them, the answer is".
    """
    patterns = texts.patterns
    window = texts.low[max(0, start - _SENTENCE_CHARS) : start]
    if found := _SENTENCE_START.search(window):
        window = window[found.end() :]
    if patterns.example.search(window):
        return True
    conditions = list(patterns.condition.finditer(window))
    if not conditions:
        return False
    consequence = window[conditions[-1].end() :]
    if patterns.so.search(consequence):
        return False
    is_option = texts.question.kind in (QuestionKind.CHOICE, QuestionKind.YES_NO)
    return is_option or "," not in consequence


def _read_value(texts: _Texts, place: _Place) -> ReadValue | None:
    """Read the value at a place, with offsets into the text."""
    start, end = _clause(texts, place.end)
    if _ASKS.match(texts.view, end):
        return None
    whole = texts.low[start:end]
    tail = texts.patterns.tail.search(whole) if texts.patterns.tail else None
    stop = start + (tail.start() if tail else len(whole))
    if stop == start or (place.needs_tail and tail is None):
        return None
    value = _read_in_clause(texts, start, stop)
    if value is None:
        return None
    rest = texts.low[value.end : end]
    if _is_denied(rest, texts.patterns) or _is_qualified(texts, value.end):
        return None
    if place.is_heading and _is_list_item(texts, place.end, value):
        return None
    is_sentence = place.is_heading and _names_other_number(texts, value, end)
    if is_sentence or _names_several(texts, value, end):
        value = value._replace(answer=None)
    if place.needs_close and not _fills_clause(texts, place, value, stop):
        return None
    return value


def _sentence_end(texts: _Texts, start: int) -> int:
    end = p.sentence_end(texts.view, start)
    reason = texts.patterns.because.search(texts.low, start, end)
    return reason.start() if reason else end


def _clause(texts: _Texts, start: int) -> tuple[int, int]:
    """Return the clause at `start`, without the reason that ends it."""
    opening = _OPENING.match(texts.low, start)
    start = opening.end() if opening else start
    end = min(p.sentence_end(texts.view, start), start + _READ_CHARS)
    if reason := texts.patterns.because.search(texts.low, start + 1, end):
        end = reason.start()
    # The markup skipped belongs to the reader, which looks at brackets.
    return (opening.start() if opening else start), end


def _read_in_clause(texts: _Texts, start: int, stop: int) -> ReadValue | None:
    kind = texts.question.kind
    if kind is QuestionKind.YES_NO:
        value = _read_words(texts, start, stop)
    elif kind is QuestionKind.NUMBER:
        value = _read_number(texts, start, stop)
    elif kind is QuestionKind.CHOICE:
        value = _read_choice(texts, start, stop)
    else:
        value = _read_text(texts, start, stop)
    if value is not None:
        return value
    opening = _OPENING.match(texts.low, start)
    begin = opening.end() if opening else start
    if none := texts.patterns.none.match(texts.low, begin, stop):
        return ReadValue(None, none.start(), none.end(), complete=True)
    return None


def _read_with(texts: _Texts, start: int, stop: int) -> ReadValue | None:
    """Read with the reader of the question's kind, with offsets into the text."""
    value = READERS[texts.question.kind](texts.view[start:stop], texts.question)
    if value is None:
        return None
    complete = value.complete or start + value.end < len(texts.view)
    return value._replace(
        start=start + value.start, end=start + value.end, complete=complete
    )


def _read_choice(texts: _Texts, start: int, stop: int) -> ReadValue | None:
    if value := _read_with(texts, start, stop):
        return value
    if _names_all_of_several(texts, start, stop):
        return ReadValue(None, start, stop, complete=True)
    before = texts.patterns.option_before.match(texts.low, start, stop)
    if before is not None and before.end() > start:
        # Back over an opening bracket, by which a label is known.
        begin = before.end() - (texts.low[before.end() - 1] in "([\"'*")
        if later := _read_with(texts, begin, stop):
            return later
        if glued := _read_glued_label(texts, begin, stop):
            return glued
    return _read_glued_label(texts, start, stop)


def _names_all_of_several(texts: _Texts, start: int, stop: int) -> bool:
    """Return whether several labels come as one word: ABD."""
    found = _SEVERAL_LABELS.match(texts.view, start, stop)
    labels = option_table(texts.question).labels
    return found is not None and all(
        label.casefold() in labels for label in found["labels"]
    )


def _read_glued_label(texts: _Texts, start: int, stop: int) -> ReadValue | None:
    """Read a label that a particle of the language follows directly: B입니다."""
    options = option_table(texts.question)
    opening = _OPENING.match(texts.low, start, stop)
    begin = opening.end() if opening else start
    name = _longest_label(texts.low[begin:stop], options)
    if name is None:
        return None
    label = options.labels[name]
    span = (begin, begin + len(name))
    closing = _CLOSING_MARKS.match(texts.low, span[1], stop)
    after = closing.end() if closing else span[1]
    beside = texts.low[after:stop].lstrip("の .:,-")
    named = [other for other, text in options.texts.items() if text == beside]
    if named:
        answer = label if label in named else None
        return ReadValue(answer, *span, complete=True)
    tail_head = texts.patterns.tail_head
    ends = [_LABEL_ENDS, *([tail_head] if tail_head else [])]
    value = ReadValue(label, *span, complete=True)
    is_apart = after == stop or any(end.match(texts.low, after, stop) for end in ends)
    return value if is_apart or _names_several(texts, value, stop) else None


def _longest_label(low: str, options: OptionTable) -> str | None:
    """Return the longest label that a text begins with, as the table has it."""
    names = [name for name in options.labels if low.startswith(name)]
    name = max(names, key=len, default=None)
    if name is None or (name.isascii() and _LATIN.match(low, len(name))):
        return None
    return name


def _read_number(texts: _Texts, start: int, stop: int) -> ReadValue | None:
    patterns = texts.patterns
    opening = _OPENING.match(texts.low, start)
    if patterns.negation.match(texts.low, opening.end() if opening else start, stop):
        return None
    window = texts.view[start:stop]
    if patterns.language.decimal_comma:
        english = write_in_english(window, texts.view, texts.question.text)
        if english is None:
            return None
        window = english
    if patterns.scale:
        window = patterns.scale.sub(lambda scale: " " * len(scale[0]), window)
    skipped = 0 if patterns.language.left_bound else _find_only_number(window)
    value = READERS[QuestionKind.NUMBER](window[skipped:], texts.question)
    if value is None:
        return None
    start += skipped
    if patterns.limits.search(texts.low, start - skipped, start + value.start):
        return None
    end = start + value.end
    answer = value.answer
    scale = patterns.scale.match(texts.low, end) if patterns.scale else None
    if answer is not None and scale is not None:
        answer = scale_number(answer, patterns.scales[scale[1]])
        end = scale.end()
    return ReadValue(answer, start + value.start, end, complete=end < len(texts.view))


def _find_only_number(window: str) -> int:
    """Return where the only number of a clause begins that no space comes before."""
    numbers = list(islice(_NUMBER.finditer(window), 2))
    return numbers[0].start() if len(numbers) == 1 else 0


def _read_text(texts: _Texts, start: int, stop: int) -> ReadValue | None:
    patterns = texts.patterns
    opening = _OPENING.match(texts.low, start)
    begin = opening.end() if opening else start
    if patterns.none.match(texts.low, begin, stop):
        return None
    if patterns.language.right_bound and patterns.negation.match(
        texts.low, begin, stop
    ):
        return None
    return _read_with(texts, start, stop)


def _read_words(texts: _Texts, start: int, stop: int) -> ReadValue | None:
    opening = _OPENING.match(texts.low, start)
    begin = opening.end() if opening else start
    return _read_yes_no(texts.low, begin, texts.patterns) or _read_with(
        texts, start, stop
    )


def _read_yes_no(low: str, start: int, patterns: LanguagePatterns) -> ReadValue | None:
    found = patterns.yes_no.match(low, start)
    if found is None:
        return None
    answer = "yes" if found["yes"] else "no"
    return ReadValue(answer, found.start(), found.end(), found.end() < len(low))


# --- what follows a value ---


def _is_denied(rest: str, patterns: LanguagePatterns) -> bool:
    """Return whether the clause ends in a denial: "Bではない", "B नहीं है"."""
    clause = re.split(r"[,;(]", rest, maxsplit=1)[0].rstrip(" .!*_\"')")
    denials = list(patterns.denial.finditer(clause)) if patterns.denial else []
    return bool(denials) and len(clause) - denials[-1].end() <= _DENIAL_CHARS


def _is_qualified(texts: _Texts, end: int) -> bool:
    """Return whether "if" follows a value: "B, wenn es regnete"."""
    mark = _COMMA.match(texts.low, end)
    start = mark.end() if mark else end
    return texts.patterns.condition.match(texts.low, start) is not None


def _is_list_item(texts: _Texts, cue_end: int, value: ReadValue) -> bool:
    """Return whether a number opens a line of a list: "Antwort:" and then "1. Zuerst …"."""
    is_number = texts.question.kind is QuestionKind.NUMBER
    is_on_next_line = "\n" in texts.low[cue_end - 1 : value.start]
    mark = _LIST_MARK.match(texts.low, value.end)
    return is_number and is_on_next_line and mark is not None


def _names_other_number(texts: _Texts, value: ReadValue, end: int) -> bool:
    """Return whether another number follows in prose: "Antwort: 8 Stifte kosten 12 €"."""
    if texts.question.kind is not QuestionKind.NUMBER or value.answer is None:
        return False
    other = _OTHER_NUMBER.match(texts.view, value.end, end)
    return other is not None and other["number"] not in value.answer


def _names_several(texts: _Texts, value: ReadValue, end: int) -> bool:
    """Return whether another value is joined on: "A oder B", "3 bis 4"."""
    if texts.question.kind not in (QuestionKind.CHOICE, QuestionKind.NUMBER):
        return False
    joined = texts.patterns.joins.match(texts.low, value.end, end)
    if joined is None:
        return False
    start = joined.end()
    if texts.question.kind is QuestionKind.NUMBER:
        another = _ANOTHER.match(texts.low, start, end)
        return another is not None and another[0][-1].isdigit()
    if before := texts.patterns.option_before.match(texts.low, start, end):
        start = before.end()
    another = _ANOTHER.match(texts.low, start, end)
    if another is None:
        return False
    label = option_table(texts.question).labels.get(another[0].strip(" *_([\"'"))
    return label is not None and label != value.answer


def _fills_clause(texts: _Texts, place: _Place, value: ReadValue, stop: int) -> bool:
    """Return whether a value comes first, and only a unit or a mark up to `stop`."""
    is_number = texts.question.kind is QuestionKind.NUMBER
    before = texts.low[place.end : value.start]
    if is_number and any(char.isalpha() for char in before):
        return False
    if _CLOSED.match(texts.low, value.end):
        return True
    rest = texts.low[value.end : stop]
    if is_number:
        return _UNIT_ONLY.match(rest) is not None
    return re.fullmatch(CLOSING, rest) is not None


# --- predicates ---


def _find_predicates(
    texts: _Texts, pattern: re.Pattern[str] | None, rule: str, begin: int
) -> Iterator[LanguageStatement]:
    """Yield the values that a predicate follows: "B ist die richtige Antwort"."""
    if pattern is None:
        return
    code = texts.patterns.language.code
    for match in islice(pattern.finditer(texts.low, begin), _MAX_CUES):
        window_start = max(begin, match.start() - 30)
        value = _read_before(texts, window_start, match.start())
        if value is None or _ASKS.match(texts.view, match.end()):
            continue
        if _is_conditional(texts, value.start):
            continue
        yield LanguageStatement(
            rule=f"{rule}:{code}",
            start=value.start,
            answer_start=value.start,
            answer_end=value.end,
            end=p.sentence_end(texts.view, match.end()),
            answer=value.answer,
            complete=True,
        )


def _read_before(texts: _Texts, start: int, stop: int) -> ReadValue | None:
    """Read a label or a number that ends at `stop`."""
    view, question = texts.view, texts.question
    if question.kind is QuestionKind.NUMBER:
        number = _NUMBER_AT_END.search(view, start, stop)
        return _read_number(texts, number.start(), stop) if number else None
    if question.kind is not QuestionKind.CHOICE:
        return None
    found = _LABEL_AT_END.search(view, start, stop)
    if found is None:
        return None
    name, span = (
        (found["latin"], found.span("latin"))
        if found["latin"]
        else (found["other"], found.span("other"))
    )
    label = option_table(question).labels.get(name.casefold())
    is_marked = found["open"] or name.isupper() or name.isdigit()
    has_noun = _ends_with_option_noun(texts, start, found.start())
    if label is None or not (is_marked or has_noun or not name.islower()):
        return None
    return ReadValue(label, *span, complete=True)


def _ends_with_option_noun(texts: _Texts, start: int, stop: int) -> bool:
    before = texts.low[start:stop].rstrip(" :*_(\"'")
    return any(before.endswith(noun) for noun in texts.patterns.language.option)
