"""Published rows of finished chains, and the counts over them. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cotbuild.builder.generate.attempts import grade_attempt
from cotbuild.builder.generate.chains import AnsweredStep, Chain, Step, grade_chain
from cotbuild.builder.generate.score_means import ScoreMeans
from cotbuild.builder.imports.unanswered import UnansweredTexts
from cotbuild.builder.sources.ids import DigestSet, digest_text
from cotbuild.schemas.answers.compare import is_hundredfold
from cotbuild.schemas.answers.grade import GradingRules
from cotbuild.schemas.answers.reflection import find_evaluation
from cotbuild.schemas.answers.turn import split_reasoning
from cotbuild.schemas.attempts import ATTEMPT
from cotbuild.schemas.completion import Answer, Completion, Failure
from cotbuild.schemas.failure_messages import (
    FailureMessages,
    publishable_message,
)
from cotbuild.schemas.manifest import NO_TARGET, FailureGroup, ScoreSummary
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.rationale import (
    Flag,
    OtherStep,
    Purpose,
    Rationale,
    Verdict,
    question_fields,
)

NO_RATIONALE = 0
"""The digest of an empty rationale, which is no duplicate of others."""


def to_rationale(chain: Chain, grading: GradingRules) -> Rationale:
    """Return the published row of a finished chain.

    Raises ValueError where a request is still open.
    """
    finished = chain.finished
    if finished is None:
        raise ValueError(f"the chain of question {chain.question.id!r} is not finished")
    step, answer = finished.rationale
    failure = finished.failure
    graded = grade_chain(chain.question, finished, grading)
    other_steps = [
        _other_step(answered)
        for answered in chain.answered
        if answered is not finished.rationale
    ]
    return Rationale(
        sample_index=chain.sample_index,
        **question_fields(chain.question),
        **dict(graded),
        **_reflection_fields(chain.question, step, answer, grading),
        failure=None if failure is None else failure.kind.value,
        failure_message=_failure_message(failure),
        notes=_join_notes(chain.answered),
        **_completion_fields(answer),
        teacher=step.request.teacher,
        purpose=step.purpose,
        template=step.template.ref,
        request_key=answer.request_key,
        other_steps=tuple(other_steps),
        origin=None,
    )


def _reflection_fields(
    question: Question, step: Step, answer: Answer, grading: GradingRules
) -> dict[str, Any]:
    """Return what a row says of the attempt that it evaluates; nothing for others."""
    if step.purpose is not Purpose.EVALUATE:
        return {}
    attempt = question.input_texts.get(ATTEMPT)
    evaluation = None
    if isinstance(answer, Completion):
        own_text = split_reasoning(answer.text).own_text
        evaluation = find_evaluation(own_text).evaluation
    return {
        "attempt_verdict": None
        if attempt is None
        else grade_attempt(question, attempt, grading),
        "evaluation": evaluation,
    }


def _failure_message(failure: Failure | None) -> str | None:
    """Return the message as it is published; None where there is none."""
    if failure is None:
        return None
    return publishable_message(failure.message) or None


def _join_notes(answered: Iterable[AnsweredStep]) -> tuple[str, ...]:
    """Return the notes on all replies of a chain, each once."""
    notes: dict[str, None] = {}
    for _, answer in answered:
        if isinstance(answer, Completion):
            notes.update(dict.fromkeys(answer.notes))
    return tuple(notes)


def _completion_fields(answer: Answer) -> dict[str, Any]:
    """Return the verbatim fields of a step; all None where no completion came."""
    fields = ("finish_reason", "prompt_tokens", "completion_tokens")
    if isinstance(answer, Failure):
        return {"completion": None, **dict.fromkeys(fields)}
    values = {name: getattr(answer, name) for name in fields}
    return {"completion": answer.text, **values}


def _other_step(answered: AnsweredStep) -> OtherStep:
    step, answer = answered
    return OtherStep(
        purpose=step.purpose,
        request_key=answer.request_key,
        reasoning=None if isinstance(answer, Failure) else answer.reasoning,
        **_completion_fields(answer),
    )


def flag_duplicates(rows: Iterable[Rationale]) -> Iterator[Rationale]:
    """Yield the rows, flagged where an earlier row has the same rationale.

    Case and white space do not count. Keeps 8 bytes a row.
    """
    seen = SeenRationales()
    for row in rows:
        if seen.is_repeated(digest_rationale(row.rationale)):
            flags = flags_of_duplicate(row.flags)
            yield row.model_copy(update={"flags": flags})
        else:
            yield row


class SeenRationales:
    """The rationales of the rows so far, 8 to 16 bytes each."""

    def __init__(self) -> None:
        self._digests = DigestSet()

    def is_repeated(self, digest: int) -> bool:
        """Add a rationale by its `digest_rationale`; return whether it was there."""
        return digest != NO_RATIONALE and not self._digests.add_digest(digest)


def digest_rationale(rationale: str) -> int:
    """Return a 64-bit digest in which case and white space do not count."""
    if not rationale:
        return NO_RATIONALE
    return digest_text(" ".join(rationale.casefold().split()))


def flags_of_duplicate(flags: Iterable[Flag]) -> tuple[Flag, ...]:
    """Return the flags of a row whose rationale an earlier row has."""
    return tuple(sorted({*flags, Flag.DUPLICATE}))


class RowFigures(NamedTuple):
    """The figures of a manifest that follow from its rationales, named as there."""

    num_planned: int
    verdicts: dict[str, int]
    verdicts_by_target: dict[str, dict[str, int]]
    inputs: dict[str, int]
    purposes: dict[str, int]
    flags: dict[str, int]
    answer_rules: dict[str, dict[str, int]]
    scores: tuple[ScoreSummary, ...]
    failures: dict[str, int]
    failure_messages: tuple[FailureGroup, ...]
    completion_tokens: int
    rationale_chars: list[int]
    reflections: dict[str, int]


@dataclass
class BuildCounts:
    """Counts over the rows of a build, filled as they pass by."""

    num_questions: int = 0
    """Questions with at least one row."""
    verdicts: Counter[str] = field(default_factory=Counter)
    by_target: dict[str, Counter[str]] = field(default_factory=dict)
    """Verdicts by kind and target, where there are few different targets."""
    by_rule: dict[str, Counter[str]] = field(default_factory=dict)
    """Verdicts by the rule that read the answer."""
    scores: ScoreMeans = field(default_factory=ScoreMeans)
    inputs: Counter[str] = field(default_factory=Counter)
    """Questions by the inputs that they have."""
    flags: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    failure_messages: FailureMessages = field(default_factory=FailureMessages)
    purposes: Counter[str] = field(default_factory=Counter)
    template_uses: set[tuple[Purpose, QuestionKind]] = field(default_factory=set)
    """What templates were used for, in any step."""
    completion_tokens: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    """Number of rationales by their length in characters."""
    reflections: Counter[str] = field(default_factory=Counter)
    """Evaluated attempts by verdict before, evaluation and verdict after."""
    num_hundredfold: int = 0
    """Incorrect answers that are a hundred times their target."""
    unanswered: UnansweredTexts = field(default_factory=UnansweredTexts)

    def add(self, row: Rationale) -> None:
        """Count one row."""
        if row.sample_index == 0:
            self.num_questions += 1
            self.inputs.update(one.name for one in row.inputs)
        self.verdicts[row.verdict.value] += 1
        self.scores.add(row)
        self.flags.update(flag.value for flag in row.flags)
        self.purposes[row.purpose.value] += 1
        self._add_step(row.purpose, row.kind, row.completion_tokens)
        for step in row.other_steps:
            self._add_step(step.purpose, row.kind, step.completion_tokens)
        if row.verdict is Verdict.UNSCORED:
            self.failures[row.failure or NO_TARGET] += 1
        if row.failure is not None and row.failure_message is not None:
            self.failure_messages.add(row.failure, row.failure_message)
        if row.rationale:
            self.lengths[len(row.rationale)] += 1
        closed = row.kind in (QuestionKind.CHOICE, QuestionKind.YES_NO)
        if closed and row.target is not None:
            target = f"{row.kind.value}: {row.target}"
            self.by_target.setdefault(target, Counter())[row.verdict.value] += 1
        self.num_hundredfold += _is_percent_of_share(row)
        if row.attempt_verdict is not None:
            self.reflections[reflection_name(row)] += 1
        if row.answer_rule is not None:
            self.by_rule.setdefault(row.answer_rule, Counter())[row.verdict.value] += 1
        self.unanswered.add(row)

    def merge(self, later: "BuildCounts") -> None:
        """Add the counts over rows that follow."""
        self.num_questions += later.num_questions
        self.verdicts.update(later.verdicts)
        _merge_counts(self.by_target, later.by_target)
        _merge_counts(self.by_rule, later.by_rule)
        self.scores.merge(later.scores)
        self.inputs.update(later.inputs)
        self.flags.update(later.flags)
        self.failures.update(later.failures)
        self.failure_messages.merge(later.failure_messages)
        self.purposes.update(later.purposes)
        self.template_uses |= later.template_uses
        self.completion_tokens += later.completion_tokens
        self.lengths.update(later.lengths)
        self.reflections.update(later.reflections)
        self.num_hundredfold += later.num_hundredfold
        self.unanswered.merge(later.unanswered)

    def _add_step(
        self, purpose: Purpose, kind: QuestionKind, tokens: int | None
    ) -> None:
        self.template_uses.add((purpose, kind))
        self.completion_tokens += tokens or 0

    def figures(self) -> RowFigures:
        """Return the figures as a manifest records them."""
        return RowFigures(
            num_planned=self.verdicts.total(),
            verdicts=self._verdict_counts(),
            verdicts_by_target=_sorted_counts(self.by_target),
            inputs=dict(sorted(self.inputs.items())),
            purposes=dict(sorted(self.purposes.items())),
            flags=dict(sorted(self.flags.items())),
            answer_rules=_sorted_counts(self.by_rule),
            scores=self.scores.summaries(),
            failures=dict(sorted(self.failures.items())),
            failure_messages=self.failure_messages.groups(),
            completion_tokens=self.completion_tokens,
            rationale_chars=self.length_quartiles(),
            reflections=dict(sorted(self.reflections.items())),
        )

    def _verdict_counts(self) -> dict[str, int]:
        """Return the rows of each verdict; `scored` only if there is one, as in prose."""
        return {
            verdict.value: self.verdicts[verdict]
            for verdict in Verdict
            if verdict is not Verdict.SCORED or self.verdicts[verdict]
        }

    def length_quartiles(self) -> list[int]:
        """Return minimum, quartiles and maximum of the rationales' lengths.

        In characters; empty where there are no rationales.
        """
        total = self.lengths.total()
        if not total:
            return []
        ordered = sorted(self.lengths.items())
        ranks = (0, total // 4, total // 2, 3 * total // 4, total - 1)
        return [_length_at(ordered, rank) for rank in ranks]


def reflection_name(row: Rationale) -> str:
    """Return how a row is counted: `incorrect, refine, correct`."""
    before = "" if row.attempt_verdict is None else row.attempt_verdict.value
    return f"{before}, {row.evaluation or 'no evaluation'}, {row.verdict.value}"


def _is_percent_of_share(row: Rationale) -> bool:
    """Return whether the answer may be a percent, and the target the share it means."""
    if row.kind is not QuestionKind.NUMBER or row.verdict is not Verdict.INCORRECT:
        return False
    if row.answer is None or row.target is None:
        return False
    return is_hundredfold(row.answer, row.target)


def _merge_counts(
    counts: dict[str, Counter[str]], later: Mapping[str, Counter[str]]
) -> None:
    for name, inner in later.items():
        counts.setdefault(name, Counter()).update(inner)


def _sorted_counts(counts: Mapping[str, Counter[str]]) -> dict[str, dict[str, int]]:
    """Return counts of counts as plain mappings, both ordered by name."""
    return {name: dict(sorted(inner.items())) for name, inner in sorted(counts.items())}


def _length_at(ordered: list[tuple[int, int]], rank: int) -> int:
    for length, count in ordered:
        if rank < count:
            return length
        rank -= count
    raise AssertionError("rank is below the total")
