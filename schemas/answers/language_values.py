"""Read the answer at a place that a cue of another language leads to. Pure."""

import re
from itertools import islice

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.compare import OptionTable, option_table
from cotbuild.schemas.answers.language_numbers import write_in_english
from cotbuild.schemas.answers.language_patterns import CLOSING, WORD, LanguagePatterns
from cotbuild.schemas.answers.language_places import Place, Texts
from cotbuild.schemas.answers.plain_numbers import shift_point
from cotbuild.schemas.answers.read_value import ReadValue, skip
from cotbuild.schemas.answers.readers import READERS
from cotbuild.schemas.question import QuestionKind

_READ_CHARS = 400
_DENIAL_CHARS = 6
"""How far from the end of its clause a denial may be: नहीं है."""
_OPENING = re.compile(r"[ \n*_\"'`$(\[{<~#>]{0,12}")
_CLOSED = re.compile(rf"{CLOSING}(?:[.,;:!?。\n(]|\Z)")
ASKS = re.compile(r"[\"')\]*_ ]{0,4}\?")
_CLOSING_MARKS = re.compile(r"[)\]*\"']{0,4}")
_LATIN = re.compile(r"[a-z0-9]")
# A tag, or a letter of another script: the A of "A <eoa>" is no article.
_LABEL_ENDS = re.compile(r"[)\]*\"']{0,4}(?: ?<| +[\u0590-\uffff])")
_SEVERAL_LABELS = re.compile(
    r"[ \n*_\"'`$(\[{<~#>]{0,12}(?P<labels>[A-Z]{2,6})(?![A-Za-z])"
)
_OTHER_NUMBER = re.compile(r"[^,(=:/\n]{0,80}?[^\d,(=:/\n.](?P<number>[0-9]+)")
_LIST_MARK = re.compile(r"[*_]{0,2}[.)][*_]{0,2} +\S")
_COMMA = re.compile(r"[)\]*_\"' ]{0,4},? ?")
_NUMBER = re.compile(r"[-$€£¥]{0,2}[0-9][0-9.,/]{0,30}")
_ANOTHER = re.compile(
    r"[ *_(\[\"']{0,5}(?:[a-z0-9]{1,2}(?![a-z0-9])|[^\W_]{1,2}(?![^\W_])|[0-9])"
)
_UNIT_ONLY = re.compile(
    rf"{CLOSING}(?:[^\W\d_]{WORD}{{0,20}}{CLOSING}){{0,2}}[.!。]?\s*\Z"
)


def read_value(texts: Texts, place: Place) -> ReadValue | None:
    """Read the value at a place, with offsets into the text."""
    start, end = _clause(texts, place.end)
    if ASKS.match(texts.view, end):
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
    if place.is_heading and _opens_reasoning(texts, place.end, value.start, end):
        return None
    is_sentence = place.is_heading and _names_other_number(texts, value, end)
    if is_sentence or _names_several(texts, value, end):
        value = value._replace(answer=None)
    if place.needs_close and not _fills_clause(texts, place, value, stop):
        return None
    return value


def find_sentence_end(texts: Texts, start: int) -> int:
    end = p.sentence_end(texts.view, start)
    reason = texts.patterns.because.search(texts.low, start, end)
    return reason.start() if reason else end


def _clause(texts: Texts, start: int) -> tuple[int, int]:
    """Return the clause at `start`, without the reason that ends it."""
    # The markup skipped belongs to the reader, which looks at brackets.
    begin = skip(_OPENING, texts.low, start)
    end = min(p.sentence_end(texts.view, begin), begin + _READ_CHARS)
    if reason := texts.patterns.because.search(texts.low, begin + 1, end):
        end = reason.start()
    return start, end


def _read_in_clause(texts: Texts, start: int, stop: int) -> ReadValue | None:
    kind = texts.question.kind
    if kind is QuestionKind.YES_NO:
        value = _read_words(texts, start, stop)
    elif kind is QuestionKind.NUMBER:
        value = read_number(texts, start, stop)
    elif kind is QuestionKind.CHOICE:
        value = _read_choice(texts, start, stop)
    else:
        value = _read_text(texts, start, stop)
    if value is not None:
        return value
    begin = skip(_OPENING, texts.low, start)
    if none := texts.patterns.none.match(texts.low, begin, stop):
        return ReadValue(None, none.start(), none.end(), complete=True)
    return None


def _read_with(texts: Texts, start: int, stop: int) -> ReadValue | None:
    """Read with the reader of the question's kind, with offsets into the text."""
    value = READERS[texts.question.kind](texts.view[start:stop], texts.question)
    if value is None:
        return None
    complete = value.complete or start + value.end < len(texts.view)
    return value.shift(start)._replace(complete=complete)


def _read_choice(texts: Texts, start: int, stop: int) -> ReadValue | None:
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


def _names_all_of_several(texts: Texts, start: int, stop: int) -> bool:
    """Return whether several labels come as one word: ABD."""
    found = _SEVERAL_LABELS.match(texts.view, start, stop)
    labels = option_table(texts.question).labels
    return found is not None and all(
        label.casefold() in labels for label in found["labels"]
    )


def _read_glued_label(texts: Texts, start: int, stop: int) -> ReadValue | None:
    """Read a label that a particle of the language follows directly: B입니다."""
    options = option_table(texts.question)
    begin = skip(_OPENING, texts.low, start, stop)
    name = _longest_label(texts.low[begin:stop], options)
    if name is None:
        return None
    label = options.labels[name]
    span = (begin, begin + len(name))
    after = skip(_CLOSING_MARKS, texts.low, span[1], stop)
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


def read_number(texts: Texts, start: int, stop: int) -> ReadValue | None:
    patterns = texts.patterns
    if patterns.negation.match(texts.low, skip(_OPENING, texts.low, start), stop):
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
        answer = shift_point(answer, patterns.scales[scale[1]])
        end = scale.end()
    return ReadValue(answer, start + value.start, end, complete=end < len(texts.view))


def _find_only_number(window: str) -> int:
    """Return where the only number of a clause begins that no space comes before."""
    numbers = list(islice(_NUMBER.finditer(window), 2))
    return numbers[0].start() if len(numbers) == 1 else 0


def _read_text(texts: Texts, start: int, stop: int) -> ReadValue | None:
    patterns = texts.patterns
    begin = skip(_OPENING, texts.low, start)
    if patterns.none.match(texts.low, begin, stop):
        return None
    if patterns.language.right_bound and patterns.negation.match(
        texts.low, begin, stop
    ):
        return None
    return _read_with(texts, start, stop)


def _read_words(texts: Texts, start: int, stop: int) -> ReadValue | None:
    begin = skip(_OPENING, texts.low, start)
    return _read_yes_no(texts.low, begin, texts.patterns) or _read_with(
        texts, start, stop
    )


def _read_yes_no(low: str, start: int, patterns: LanguagePatterns) -> ReadValue | None:
    found = patterns.yes_no.match(low, start)
    if found is None:
        return None
    answer = "yes" if found["yes"] else "no"
    return ReadValue(answer, found.start(), found.end(), found.end() < len(low))


def _is_denied(rest: str, patterns: LanguagePatterns) -> bool:
    """Return whether the clause ends in a denial: "Bではない", "B नहीं है"."""
    clause = re.split(r"[,;(]", rest, maxsplit=1)[0].rstrip(" .!*_\"')")
    denials = list(patterns.denial.finditer(clause)) if patterns.denial else []
    return bool(denials) and len(clause) - denials[-1].end() <= _DENIAL_CHARS


def _is_qualified(texts: Texts, end: int) -> bool:
    """Return whether "if" follows a value: "B, wenn es regnete"."""
    start = skip(_COMMA, texts.low, end)
    return texts.patterns.condition.match(texts.low, start) is not None


def _opens_reasoning(texts: Texts, cue_end: int, value: int, end: int) -> bool:
    """Return whether a number comes in a sentence that more sentences follow.

    As in "Respuesta: Ana tiene 16 huevos. Come 3 …".
    """
    if texts.question.kind is not QuestionKind.NUMBER:
        return False
    is_in_prose = any(char.isalpha() for char in texts.low[cue_end:value])
    return is_in_prose and any(char.isalnum() for char in texts.low[end:])


def _is_list_item(texts: Texts, cue_end: int, value: ReadValue) -> bool:
    """Return whether a number opens a line of a list: "Antwort:" and then "1. Zuerst …"."""
    is_number = texts.question.kind is QuestionKind.NUMBER
    is_on_next_line = "\n" in texts.low[cue_end - 1 : value.start]
    mark = _LIST_MARK.match(texts.low, value.end)
    return is_number and is_on_next_line and mark is not None


def _names_other_number(texts: Texts, value: ReadValue, end: int) -> bool:
    """Return whether another number follows in prose: "Antwort: 8 Stifte kosten 12 €"."""
    if texts.question.kind is not QuestionKind.NUMBER or value.answer is None:
        return False
    other = _OTHER_NUMBER.match(texts.view, value.end, end)
    return other is not None and other["number"] not in value.answer


def _names_several(texts: Texts, value: ReadValue, end: int) -> bool:
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


def _fills_clause(texts: Texts, place: Place, value: ReadValue, stop: int) -> bool:
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
