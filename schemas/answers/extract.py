"""Extract the answer and the rationale from a teacher's free text. Pure.

An answer counts only if the text states it: "The answer is (B)", "Answer: 12",
"#### 42", a boxed or tagged value, or a line that is nothing but an answer. A text that
names several options, or none, has no answer: nothing is guessed from the last number
or the last option mentioned.
"""

from pydantic import Field

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.choose import find_statements
from cotbuild.schemas.answers.compare import answers_differ
from cotbuild.schemas.answers.flags import is_refusal
from cotbuild.schemas.answers.statement import Statement
from cotbuild.schemas.answers.turn import find_turn_end, split_reasoning
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Flag
from cotbuild.schemas.record import Record

_DANGLING = ",:;([<- \n"
"""Marks that lead over to a statement, and mean nothing once it is cut off."""
_LEAD_CHARS = 80
"""How far before a statement its introduction may begin."""


class Extraction(Record):
    """The answer and the reasoning that one text states."""

    answer: str | None = Field(
        description="In the form of the target: a choice's label, yes or no, plain "
        "digits, text. None: no single one."
    )
    rationale: str = Field(description="The reasoning alone, stripped; empty: none.")
    flags: tuple[Flag, ...] = Field(description="Sorted; see Flag.")
    complete: bool = Field(
        description="Whether a cut at the end of the text cannot have changed the answer."
    )
    answer_rule: str | None = Field(
        default=None,
        description="Id of the rule that read the answer, or that no single one is "
        "stated; None: nothing is stated.",
    )
    answer_start: int | None = Field(
        default=None,
        description="Offset of the answer in the text; None: it is not in the text.",
    )
    answer_end: int | None = Field(
        default=None, description="Offset of the answer's end in the text."
    )


def extract_answer(
    text: str,
    question: Question,
    *,
    answer_first: bool = False,
    given: bool = False,
    closing_sentence: bool = False,
    heads: tuple[str, ...] = (),
) -> Extraction:
    """Extract the answer and rationale of `text`; never raises.

    The last statement counts, and what follows it is cut off. With `answer_first`
    ("The answer is (B) because …") the first one counts, and the rationale is what
    follows it. <think> blocks are ignored. With `given` the answer that counts comes
    from elsewhere, and a line of prose that reads as an answer ("house") stays in the
    rationale. `closing_sentence` turns the rule of that name on, which reads the only
    number of a last sentence. `heads` are line heads of the prompt's form, such as
    "text", at which an invented next item begins, in lower case.
    """
    split = split_reasoning(text)
    text = split.own_text
    view = p.fold(text)
    offset = len(view) - len(view.lstrip())
    text = text[offset : len(view.rstrip())]
    view = view.strip()
    low = view.lower()
    end = find_turn_end(low, question, heads)
    has_run_on = end < len(text)
    turn, view, low = text[:end], view[:end], low[:end]

    statements = find_statements(
        view,
        low,
        question,
        answer_first=answer_first,
        given=given,
        closing_sentence=closing_sentence,
    )
    chosen = None
    rationale = tidy_rationale(turn)
    if statements and answer_first:
        chosen = statements[0]
        rationale = _rationale_after_first(turn, view, statements)
    elif statements:
        chosen = statements[-1]
        rationale, has_more = _rationale_before_last(turn, view, statements)
        has_run_on = has_run_on or has_more

    flags = set()
    if has_run_on:
        flags.add(Flag.RUN_ON)
    if answers_differ((statement.answer for statement in statements), question):
        flags.add(Flag.CONTRADICTS)
    if is_refusal(low, question):
        flags.add(Flag.REFUSAL)
    start, stop = None, None
    if chosen is not None and chosen.answer is not None:
        start, stop = split.to_verbatim_span(
            offset + chosen.answer_start, offset + chosen.answer_end
        )
    return Extraction(
        answer=chosen.answer if chosen else None,
        rationale=rationale,
        flags=tuple(sorted(flags)),
        complete=end < len(text) or (chosen is not None and chosen.complete),
        answer_rule=chosen.rule if chosen else None,
        answer_start=start,
        answer_end=stop,
    )


def _rationale_before_last(
    text: str, view: str, statements: list[Statement]
) -> tuple[str, bool]:
    """Return the reasoning before the last statement, and whether more text follows it.

    If there is none, it is the reasoning after the statement, and nothing more follows.
    """
    last = statements[-1]
    without_end = _cut_statements_at_end(text, statements)
    before = tidy_rationale(
        without_end[_end_of_statements_at_start(text, statements) :]
    )
    if before:
        return before, p.has_words(text[last.end :])
    return _reason_given(text, view, last, len(text)), False


def _rationale_after_first(text: str, view: str, statements: list[Statement]) -> str:
    """Return the reasoning after the first statement; if there is none, that before."""
    first, end = statements[0], len(text)
    if len(statements) > 1 and not p.has_words(text[statements[-1].end :]):
        end = len(_cut_statements_at_end(text, statements[1:]))
    reason = _reason_given(text, view, first, end)
    return reason or tidy_rationale(
        _trim_end(text[: _introduction_start(text, first.start)])
    )


def _reason_given(text: str, view: str, statement: Statement, end: int) -> str:
    """Return the reason given for a statement, up to `end`.

    That is what follows "because" in its sentence, else what follows its sentence.
    """
    if statement.answer is None:
        return tidy_rationale(text[:end])
    reason = p.REASON.search(view, statement.answer_end, statement.end)
    start = reason.start() if reason else statement.end
    if because := p.BECAUSE.match(view, start):
        return tidy_rationale(text[because.end() : max(start, end)])
    return tidy_rationale(text[start : max(start, end)])


def _cut_statements_at_end(text: str, statements: list[Statement]) -> str:
    """Return the text before the last statement and those directly before it.

    "Thus the answer is A: ice. The answer is A" ends in two.
    """
    cut = _introduction_start(text, statements[-1].start)
    for earlier in reversed(statements[:-1]):
        if earlier.end < cut and p.has_words(text[earlier.end : cut]):
            break
        cut = min(cut, _introduction_start(text, earlier.start))
    return _trim_end(text[:cut])


def _end_of_statements_at_start(text: str, statements: list[Statement]) -> int:
    """Return where the reasoning begins after statements that open the text.

    "The answer is B. It fits. The answer is B" opens with one.
    """
    begin = 0
    for statement in statements[:-1]:
        if p.has_words(text[begin : _introduction_start(text, statement.start)]):
            break
        begin = statement.end
    if begin == 0:
        return 0
    return len(text) - len(text[begin:].lstrip(_DANGLING + ".)]*"))


def _introduction_start(text: str, start: int) -> int:
    """Return where the introduction of a statement at `start` begins.

    Such as "Therefore, the correct" or "## Final ".
    """
    window_start = max(0, start - _LEAD_CHARS)
    window = p.fold(text[window_start:start]).lower()
    # No introduction reaches over the end of a sentence.
    sentence_start = max(window.rfind(mark) for mark in ".!?") + 1
    if lead := p.LOW_LEAD.search(window, sentence_start):
        window = window[: lead.start()]
    heading = p.LOW_HEADING.search(window)
    return window_start + (heading.start() if heading else len(window))


def tidy_rationale(text: str) -> str:
    """Strip white space and headings such as "Rationale:"; empty if no word is left."""
    text = text.strip()
    if scaffold := p.SCAFFOLD.match(text):
        text = text[scaffold.end() :].strip()
    return text if p.has_words(text) else ""


def _trim_end(text: str) -> str:
    """Strip the markup and marks that led over to a statement that was cut off."""
    text = text.rstrip()
    for mark in ("**", "__", " $"):
        if text.endswith(mark) and text.count(mark.strip()) % 2:
            text = text.removesuffix(mark).rstrip()
    return text.rstrip(_DANGLING)
