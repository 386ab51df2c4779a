"""Grade a completion: its answer, its rationale, its verdict and its flags.

The rules, in short. An answer counts only if the text states it, or if it is in a field
of a JSON object that ends the text. The rationale is the text without such statements and
without anything after the last of them. A completion is *correct* if its answer is
the target, else *incorrect*; *no_answer* if it states none, or several; *truncated* if
max_tokens cut it before an answer that comes last; *scored* if its answer is prose,
which is scored against references and neither right nor wrong; *unscored* if there is no
target to compare with. Flags say more about a text and never change its verdict. Pure.
"""

from typing import Literal, NamedTuple

from pydantic import Field

from cotbuild.schemas.answers.compare import MathMetric, answers_differ, find_match
from cotbuild.schemas.answers.extract import Extraction, extract_answer
from cotbuild.schemas.answers.flags import find_flags
from cotbuild.schemas.answers.json_answer import find_json_answer, read_json_object
from cotbuild.schemas.answers.prose_answer import (
    read_prose,
    read_prose_object,
    read_prose_rationale,
)
from cotbuild.schemas.answers.prose_scores import ProseScorer
from cotbuild.schemas.answers.turn import SplitText, split_reasoning
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.rationale import Flag, Score, Verdict
from cotbuild.schemas.record import Record

EXTRACT_VERSION = 3
"""Version of all rules of grading, recorded in the manifest.

Any change to what `grade_completion` returns for some text raises it.
"""

GivenBy = Literal["given_target", "answer_column", "choice_request"]
"""Id, in place of a rule's, of where an answer comes from that is not in the text: the
target that the text was written for, a column beside the text, or a request that
constrained the answer to the choices.
"""

GIVEN_TARGET: GivenBy = "given_target"
GIVEN_BY_CHOICE: GivenBy = "choice_request"


class GradingRules(NamedTuple):
    """The optional rules and metrics of a `GradingConfig`, opened for use."""

    closing_sentence: bool = False
    math_metric: MathMetric | None = None
    prose_scorer: ProseScorer | None = None
    """None: answers in prose have no scores."""


PLAIN_GRADING = GradingRules()
"""No optional rule and no metric, which is the default."""

_COMPARISONS = {
    QuestionKind.CHOICE: "label",
    QuestionKind.YES_NO: "yes_no",
    QuestionKind.NUMBER: "number",
    QuestionKind.TEXT: "text",
}
"""The comparison that decides that an answer is incorrect, by kind of question."""


class Decision(NamedTuple):
    """A verdict and what decided it."""

    verdict: Verdict
    flags: tuple[Flag, ...]
    """Sorted."""
    comparison: str | None = None
    """Id of the comparison with the target; None: nothing was compared."""


class GradedCompletion(Record):
    """What one completion says, and whether it is right."""

    rationale: str = Field(
        description="The reasoning kept: no answer statement, no run-on text; empty: none."
    )
    answer: str | None = Field(
        description="The answer that counts, in the form of the target; None: no single one."
    )
    answer_rule: str | None = Field(
        default=None,
        description="Id of the rule that read the answer, or that no single one is "
        "stated; None: nothing is stated.",
    )
    answer_start: int | None = Field(
        default=None,
        description="Offset of the answer in the verbatim text, in characters; None: there "
        "is none, or it comes from elsewhere.",
    )
    answer_end: int | None = Field(
        default=None, description="Offset of the answer's end in the verbatim text."
    )
    reasoning: str | None = Field(
        description="Reasoning returned apart, or in a <think> block; None: nothing."
    )
    verdict: Verdict = Field(
        description="correct, incorrect, no_answer, truncated, scored or unscored."
    )
    verdict_rule: str | None = Field(
        default=None,
        description="Comparison with the target that decided the verdict; None: nothing "
        "was compared.",
    )
    scores: tuple[Score, ...] = Field(
        default=(), description="Scores of an answer in prose, by metric."
    )
    flags: tuple[Flag, ...] = Field(description="Sorted; see Flag.")


def grade_completion(
    question: Question,
    text: str,
    *,
    reasoning: str | None = None,
    finish_reason: str | None = "stop",
    answer_first: bool = False,
    as_json: bool = False,
    given: str | None = None,
    given_by: GivenBy = GIVEN_TARGET,
    grading: GradingRules = PLAIN_GRADING,
    heads: tuple[str, ...] = (),
    answer_head: str | None = None,
    flags: bool = True,
) -> GradedCompletion:
    """Extract the answer and rationale of one completion and grade it; never raises.

    Args:
        question: The question it answers.
        text: The generated text, verbatim.
        reasoning: What the server returned as reasoning, apart from the text. It
            becomes the rationale if the text has none.
        finish_reason: stop, length (cut by max_tokens), or None if unknown.
        answer_first: Whether the template puts the answer before the rationale.
        as_json: Whether a JSON object of rationale and answer was asked for, which may
            then be cut short. A text without one is read as free text.
        given: An answer from elsewhere, which counts instead of that of the text: a
            constrained choice made after it, or the target it was written for.
        given_by: Where a given answer comes from.
        grading: Optional rules and metrics, opened for use.
        heads: Line heads of the prompt's form, such as "text", in lower case. Once an
            answer is stated, an invented next item begins at them.
        answer_head: Line head behind which the template asks for an answer in prose,
            such as "Translation"; None for common ones.
        flags: Whether to compute scores and the flags of the rationale's wording, which
            take as long as everything else.
    """
    split = split_reasoning(text)
    own_text = split.own_text
    reasoning = reasoning or split.reasoning
    extraction = _read_object(own_text, question, as_json=as_json)
    if extraction is not None:
        answer_first = False  # the object's order is its own
    elif question.kind is QuestionKind.PROSE and given is not None:
        extraction = read_prose_rationale(own_text, question, heads)
    elif question.kind is QuestionKind.PROSE:
        extraction = read_prose(
            own_text,
            question,
            answer_first=answer_first,
            answer_head=answer_head,
            heads=heads,
        )
        answer_first = False  # an answer that opens the text may still be cut
    else:
        extraction = extract_answer(
            own_text,
            question,
            answer_first=answer_first,
            given=given is not None,
            closing_sentence=grading.closing_sentence,
            heads=heads,
        )
    if given is not None:
        extraction = _with_given_answer(extraction, given, given_by, question)
    decision = decide_verdict(
        extraction,
        finish_reason,
        question,
        answer_first=answer_first,
        math_metric=grading.math_metric,
    )
    rationale = extraction.rationale or (reasoning or "").strip()
    start, end = _verbatim_span(extraction, split)
    all_flags = decision.flags
    scores: tuple[Score, ...] = ()
    if flags:
        all_flags = tuple(sorted({*all_flags, *find_flags(rationale, question)}))
        if decision.verdict is Verdict.SCORED:
            scores = _score(extraction, question, grading.prose_scorer)
    return GradedCompletion(
        rationale=rationale,
        answer=extraction.answer,
        answer_rule=extraction.answer_rule,
        answer_start=start,
        answer_end=end,
        reasoning=reasoning,
        verdict=decision.verdict,
        verdict_rule=decision.comparison,
        scores=scores,
        flags=all_flags,
    )


def _read_object(text: str, question: Question, *, as_json: bool) -> Extraction | None:
    """Read the JSON object of a text; None if there is none that counts."""
    if question.kind is QuestionKind.PROSE:
        return read_prose_object(text, question) if as_json else None
    read_object = read_json_object if as_json else find_json_answer
    return read_object(text, question)


def _score(
    extraction: Extraction, question: Question, scorer: ProseScorer | None
) -> tuple[Score, ...]:
    """Return the scores of an answer in prose.

    There are none without a scorer, and none of a given target: it is the reference.
    """
    if extraction.answer is None or extraction.answer_rule == GIVEN_TARGET:
        return ()
    if scorer is None:
        return ()
    scores = scorer.score(extraction.answer, question.targets)
    return tuple(Score(metric=metric, value=value) for metric, value in scores.items())


def without_given_answer(
    graded: GradedCompletion,
    given_by: GivenBy,
    question: Question,
    *,
    is_cut: bool = False,
) -> GradedCompletion:
    """Return a graded text whose answer was to come from elsewhere, and did not.

    What the text itself states does not replace it. `is_cut`: whether a token limit cut
    the request for the answer.
    """
    verdict = Verdict.TRUNCATED if is_cut else Verdict.NO_ANSWER
    if question.target is None:
        verdict = Verdict.UNSCORED
    changes = {
        "answer": None,
        "answer_rule": given_by,
        "answer_start": None,
        "answer_end": None,
        "verdict": verdict,
        "verdict_rule": None,
        "scores": (),
    }
    return graded.model_copy(update=changes)


def _verbatim_span(
    extraction: Extraction, split: SplitText
) -> tuple[int | None, int | None]:
    """Return the span of the answer in the verbatim text; None if it is not in it."""
    start, end = extraction.answer_start, extraction.answer_end
    if extraction.answer is None or start is None or end is None:
        return None, None
    return split.to_verbatim_span(start, end)


def decide_verdict(
    extraction: Extraction,
    finish_reason: str | None,
    question: Question,
    *,
    answer_first: bool,
    math_metric: MathMetric | None = None,
) -> Decision:
    """Return the verdict on a completion, and its flags with `cut` added if it applies.

    A text cut by max_tokens is truncated if the answer was to come last and is missing
    or may itself be cut ("The answer is 12" of 120). A text cut after a complete
    statement, or one that begins with the answer, keeps its verdict and is flagged.
    """
    is_cut = finish_reason == "length"
    is_truncated = is_cut and not answer_first and not extraction.complete
    flags = extraction.flags
    if is_cut and not is_truncated:
        flags = tuple(sorted({*flags, Flag.CUT}))
    if question.target is None:
        return Decision(Verdict.UNSCORED, flags)
    if is_truncated:
        return Decision(Verdict.TRUNCATED, flags)
    if extraction.answer is None:
        return Decision(Verdict.NO_ANSWER, flags)
    if question.kind is QuestionKind.PROSE:
        return Decision(Verdict.SCORED, flags)
    match = find_match(extraction.answer, question, math_metric=math_metric)
    if match is not None:
        return Decision(Verdict.CORRECT, flags, match)
    return Decision(Verdict.INCORRECT, flags, _COMPARISONS[question.kind])


def _with_given_answer(
    extraction: Extraction, given: str, given_by: GivenBy, question: Question
) -> Extraction:
    flags = set(extraction.flags)
    if answers_differ((extraction.answer, given), question):
        flags.add(Flag.CONTRADICTS)
    changes = {
        "answer": given,
        "answer_rule": given_by,
        "answer_start": None,
        "answer_end": None,
        "flags": tuple(sorted(flags)),
        "complete": True,
    }
    return extraction.model_copy(update=changes)
