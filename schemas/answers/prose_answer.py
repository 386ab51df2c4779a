"""Read an answer in prose, and the rationale beside it. Pure.

An answer of any length is not found by what it says but by where it is: behind a line
head such as "Answer:", or before one such as "Explanation:" where the answer comes
first. A text without such a line head states no answer.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.extract import Extraction, tidy_rationale
from cotbuild.schemas.answers.flags import is_refusal
from cotbuild.schemas.answers.json_answer import JSON_RULE
from cotbuild.schemas.answers.json_objects import find_objects
from cotbuild.schemas.answers.json_replies import Reply, read_cut_object, read_reply
from cotbuild.schemas.answers.language_patterns import RATIONALE_HEADS
from cotbuild.schemas.answers.languages.table import LANGUAGES
from cotbuild.schemas.answers.turn import CHAT_MARK
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Flag

AFTER_HEAD = "answer_head"
"""Id of the rule that reads what follows the last line head of an answer."""
BEFORE_RATIONALE = "before_rationale"
"""Id of the rule that reads what comes before the line head of a rationale."""

_NOUNS = "answer|translation|summary|response|reply|output|result"
_ANSWER_HEADS = "|".join(
    [
        rf"(?:(?:my|the|final|suggested|corrected|possible) ){{0,2}}(?:{_NOUNS})",
        *(re.escape(noun) for language in LANGUAGES for noun in language.answer),
    ]
)
_RATIONALE_HEADS = (
    "rationale|reasoning|explanation|justification|analysis|thoughts?|why"
    f"|{RATIONALE_HEADS}"
)
_ITEM_HEADS = "human|user|instruction|question|q"
"""Line heads of an invented next item, behind an empty line."""
_LINE_START = r"(?m:^)(?P<marks>[ \t>#*_-]*+)"
_HEAD_END = r"[ \t]*+[*_]{0,3}[ \t]*+(?:(?P<colon>[:\uff1a])|(?=\n))"
_FENCED = re.compile(r"\s*+```[a-z]{0,12}\n(?P<inner>[^`]*+)```\s*+")
_OPENING_QUOTES = "\"'\u2018\u201a\u201c\u201e\u00ab\u2039\u300c\u300e"
_EMPHASIS = ("**", "__")


class _Head(NamedTuple):
    """A line head and where what it introduces begins."""

    start: int
    end: int


class _Parts(NamedTuple):
    """Where an answer is in a text, and the rationale beside it."""

    start: int
    end: int
    rationale: str
    rule: str
    complete: bool
    """Whether something follows the answer, so that it is not cut."""


def read_prose(
    text: str,
    question: Question,
    *,
    answer_first: bool = False,
    answer_head: str | None = None,
    heads: tuple[str, ...] = (),
) -> Extraction:
    """Extract the answer and the rationale of a text without thoughts; never raises.

    The last line head of an answer counts. `answer_head` is the line head that the
    template asks for, such as "Translation"; where a text has none, common ones count.
    With `answer_first` the answer comes before the line head of a rationale. `heads` are
    line heads of the prompt's form at which an invented next item begins.
    """
    answer_heads = _choose_answer_heads(text, answer_head)
    first = _find_head(text, answer_heads, 0)
    turn = text[: _find_turn_end(text, first.end if first else 0, heads)]
    parts = _find_parts(turn, answer_heads, answer_first=answer_first)
    if parts is None:
        return _without_answer(text, turn, question)
    start, end = _unwrap(turn, parts.start, parts.end, question)
    has_answer = p.has_words(turn[start:end])
    is_run_on = len(turn) < len(text) or (
        parts.rule == AFTER_HEAD and p.has_words(turn[parts.end :])
    )
    return Extraction(
        answer=turn[start:end] if has_answer else None,
        rationale=parts.rationale,
        flags=(Flag.RUN_ON,) if is_run_on else (),
        complete=has_answer and (parts.complete or len(turn) < len(text)),
        answer_rule=parts.rule if has_answer else None,
        answer_start=start if has_answer else None,
        answer_end=end if has_answer else None,
    )


def read_prose_rationale(
    text: str, question: Question, heads: tuple[str, ...] = ()
) -> Extraction:
    """Extract the rationale of a text whose answer comes from elsewhere: all of it."""
    turn = text[: _find_turn_end(text, 0, heads)]
    return _without_answer(text, turn, question)


def read_prose_object(text: str, question: Question) -> Extraction | None:
    """Extract answer and rationale from the JSON object that was asked for.

    None if there is no object with a field for either; it may be cut short. If the
    object holds only an answer, the text before it is the rationale.
    """
    read = [read_reply(found, question) for found in find_objects(text)]
    replies = [reply for reply in read if reply is not None]
    with_answer = [reply for reply in replies if reply.answer is not None]
    if replies:
        return _read_reply(text, (with_answer or replies)[-1])
    cut = read_cut_object(text, question)
    return None if cut is None else _read_reply(text, cut)


def _read_reply(text: str, reply: Reply) -> Extraction:
    stated = reply.answer
    has_answer = stated is not None and stated.answer is not None
    before = text[: reply.start].removesuffix("```json").removesuffix("```")
    return Extraction(
        answer=stated.answer if stated else None,
        rationale=(reply.rationale or tidy_rationale(before)).strip(),
        flags=(),
        complete=reply.complete or has_answer,
        answer_rule=None if stated is None else JSON_RULE,
        answer_start=stated.start if stated and has_answer else None,
        answer_end=stated.end if stated and has_answer else None,
    )


def _without_answer(text: str, turn: str, question: Question) -> Extraction:
    flags = set()
    if len(turn) < len(text):
        flags.add(Flag.RUN_ON)
    if is_refusal(p.fold(turn).lower(), question):
        flags.add(Flag.REFUSAL)
    return Extraction(
        answer=None,
        rationale=tidy_rationale(turn),
        flags=tuple(sorted(flags)),
        complete=len(turn) < len(text),
    )


# --- where the answer is ---


def _find_parts(
    turn: str, answer_heads: re.Pattern[str], *, answer_first: bool
) -> _Parts | None:
    if answer_first and (parts := _find_first(turn, answer_heads)):
        return parts
    heads = list(_find_heads(turn, answer_heads))
    if not heads:
        return None
    last = heads[-1]
    before = tidy_rationale(turn[: last.start])
    if not before:
        # "Answer: …" and then "Explanation: …", although the answer was to come last.
        parts = _find_first(turn, answer_heads)
        if parts is not None and parts.rationale:
            return parts
    following = _find_head(turn, _head_pattern(_RATIONALE_HEADS), last.end)
    end = following.start if following else len(turn)
    return _Parts(last.end, end, before, AFTER_HEAD, complete=following is not None)


def _find_first(turn: str, answer_heads: re.Pattern[str]) -> _Parts | None:
    """Find an answer that opens the text; None if the rationale does."""
    start = 0
    opening = _find_head(turn, answer_heads, 0)
    if opening is not None and not p.has_words(turn[: opening.start]):
        start = opening.end
    following = _find_head(turn, _head_pattern(_RATIONALE_HEADS), start)
    if following is None:
        return _Parts(start, len(turn), "", BEFORE_RATIONALE, complete=False)
    if not p.has_words(turn[start : following.start]):
        return None
    rationale = tidy_rationale(turn[following.end :])
    return _Parts(start, following.start, rationale, BEFORE_RATIONALE, complete=True)


def _find_heads(text: str, pattern: re.Pattern[str], start: int = 0) -> Iterator[_Head]:
    """Yield the line heads from `start` on: "Answer:", "**Answer:**", "## Answer"."""
    for found in pattern.finditer(text, start):
        marks = found["marks"]
        has_emphasis = marks.endswith(_EMPHASIS)
        if not (found["colon"] or has_emphasis or "#" in marks):
            continue
        end = found.end()
        while has_emphasis and text[end : end + 1] in ("*", "_"):
            end += 1  # what closes behind the colon
        yield _Head(found.start(), end)


def _find_head(text: str, pattern: re.Pattern[str], start: int) -> _Head | None:
    return next(_find_heads(text, pattern, start), None)


def _choose_answer_heads(text: str, answer_head: str | None) -> re.Pattern[str]:
    """Return the pattern of the template's line head; of common ones if it is absent."""
    if answer_head is not None:
        own = _head_pattern(re.escape(answer_head))
        if _find_head(text, own, 0):
            return own
    return _head_pattern(_ANSWER_HEADS)


@lru_cache(maxsize=256)
def _head_pattern(names: str) -> re.Pattern[str]:
    return re.compile(f"{_LINE_START}(?i:{names}){_HEAD_END}")


def _find_turn_end(text: str, start: int, heads: tuple[str, ...]) -> int:
    """Return where run-on text begins behind `start`."""
    found = _turn_end_pattern(heads).search(text, start)
    return len(text) if found is None else found.start()


@lru_cache(maxsize=256)
def _turn_end_pattern(heads: tuple[str, ...]) -> re.Pattern[str]:
    ends = [
        f"(?i:{CHAT_MARK.pattern})",
        rf"\n[ \t]*+\n[ >#]*+[*_]{{0,3}}(?i:{_ITEM_HEADS})[*_ ]{{0,4}}:",
    ]
    if heads:
        names = "|".join(map(re.escape, heads))
        ends.append(rf"\n[ >#]*+[*_]{{0,3}}(?i:{names})[*_ ]{{0,4}}:")
    return re.compile("|".join(ends))


# --- what the answer is set in ---


def _unwrap(text: str, start: int, end: int, question: Question) -> tuple[int, int]:
    """Return the span of an answer without white space, and without what encloses it.

    That is a fence, emphasis, or plain quotes unless the question is in quotes itself.
    Other quotes are those of the answer: 8 of NTREX's 7,988 references are in such.
    """
    if fenced := _FENCED.fullmatch(text, start, end):
        start, end = fenced.span("inner")
    start, end = _strip(text, start, end)
    for mark in _EMPHASIS:
        if _encloses(text[start:end], mark, mark):
            start, end = _strip(text, start + len(mark), end - len(mark))
    is_quoted = question.text.lstrip().startswith(tuple(_OPENING_QUOTES))
    if not is_quoted and _encloses(text[start:end], '"', '"'):
        start, end = _strip(text, start + 1, end - 1)
    return start, end


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    start += len(part) - len(part.lstrip())
    return start, max(start, start + len(part.strip()))


def _encloses(text: str, opening: str, closing: str) -> bool:
    """Return whether a text begins and ends with marks that are not inside of it."""
    if len(text) <= len(opening) + len(closing):
        return False
    if not (text.startswith(opening) and text.endswith(closing)):
        return False
    inner = text[len(opening) : -len(closing)]
    return opening not in inner and closing not in inner
