"""From chains to published rows: pure, and rebuilt at will without asking anybody."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cotbuild.builder.generate.chains import Chain, Step
from cotbuild.builder.sources.ids import SeenIds
from cotbuild.schemas.completion import Answer, Completion, Failure
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.rationale import (
    Flag,
    OtherStep,
    Purpose,
    Rationale,
    Verdict,
    question_fields,
)


def to_rationale(chain: Chain) -> Rationale:
    """The published row of one finished chain."""
    step, answer = _said(chain)
    return Rationale(
        **question_fields(chain.question),
        sample_index=chain.sample_index,
        **_found(chain),
        **_text(answer),
        teacher=step.request.teacher,
        purpose=step.purpose,
        template=step.template.ref,
        request_key=answer.request_key,
        other_steps=tuple(
            _other(*taken) for taken in chain.taken if taken[1] is not answer
        ),
        origin=None,
    )


def _said(chain: Chain) -> tuple[Step, Answer]:
    """The step whose text holds the rationale; of a chain that failed, the last
    rationale asked for.
    """
    if chain.ending is not None:
        return next(taken for taken in chain.taken if taken[0] is chain.ending.step)
    return next(
        taken
        for taken in reversed(chain.taken)
        if taken[0].purpose is not Purpose.CHOOSE
    )


def _found(chain: Chain) -> dict[str, Any]:
    if chain.ending is None:
        failure = chain.taken[-1][1]
        assert isinstance(failure, Failure)
        _, said = _said(chain)
        nothing = {
            "rationale": "",
            "answer": None,
            "verdict": Verdict.UNSCORED,
            "flags": (),
        }
        # Of a text whose answer could not be chosen: with it the row alone tells how
        # the chain went.
        reasoning = said.reasoning if isinstance(said, Completion) else None
        return {**nothing, "reasoning": reasoning, "failure": failure.kind.value}
    found = chain.ending.judge()
    return {
        "rationale": found.rationale,
        "answer": found.answer,
        "verdict": found.verdict,
        "flags": found.flags,
        "reasoning": found.reasoning,
        "failure": None,
    }


def _text(answer: Answer) -> dict[str, Any]:
    """The verbatim side of a step; all None where no completion came."""
    names = ("finish_reason", "prompt_tokens", "completion_tokens")
    if isinstance(answer, Failure):
        return {"completion": None, **dict.fromkeys(names)}
    return {
        "completion": answer.text,
        **{name: getattr(answer, name) for name in names},
    }


def _other(step: Step, answer: Answer) -> OtherStep:
    reasoning = answer.reasoning if isinstance(answer, Completion) else None
    return OtherStep(
        purpose=step.purpose,
        request_key=answer.request_key,
        reasoning=reasoning,
        **_text(answer),
    )


def flag_duplicates(rows: Iterable[Rationale]) -> Iterator[Rationale]:
    """The rows, with those flagged whose rationale an earlier row has; 8 bytes a row."""
    seen = SeenIds()
    for row in rows:
        if row.rationale and seen.count(" ".join(row.rationale.casefold().split())) > 1:
            row = row.model_copy(
                update={"flags": tuple(sorted({*row.flags, Flag.DUPLICATE}))}
            )
        yield row


@dataclass
class BuildCounts:
    """Counts over the rows of a build, filled as they pass by."""

    num_questions: int = 0
    """Questions with at least one row."""
    verdicts: Counter[str] = field(default_factory=Counter)
    by_target: dict[str, Counter[str]] = field(default_factory=dict)
    flags: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    purposes: Counter[str] = field(default_factory=Counter)
    asked: set[tuple[Purpose, QuestionKind]] = field(default_factory=set)
    """What templates were used for, in any step."""
    completion_tokens: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    """Characters of a kept rationale → how many have that length."""

    def add(self, row: Rationale) -> None:
        self.num_questions += row.sample_index == 0
        self.verdicts[row.verdict.value] += 1
        self.asked.update(
            (purpose, row.kind)
            for purpose in (row.purpose, *(s.purpose for s in row.other_steps))
        )
        self.flags.update(flag.value for flag in row.flags)
        self.purposes[row.purpose.value] += 1
        self.completion_tokens += row.completion_tokens or 0
        self.completion_tokens += sum(
            step.completion_tokens or 0 for step in row.other_steps
        )
        if row.verdict is Verdict.UNSCORED:
            self.failures[row.failure or "no_target"] += 1
        if row.rationale:
            self.lengths[len(row.rationale)] += 1
        if row.target is not None and row.kind in (
            QuestionKind.CHOICE,
            QuestionKind.YES_NO,
        ):
            self.by_target.setdefault(f"{row.kind.value}: {row.target}", Counter())[
                row.verdict.value
            ] += 1

    def length_quartiles(self) -> list[int]:
        """Minimum, quartiles and maximum of the kept rationales' length in characters;
        empty where there are none.
        """
        total = sum(self.lengths.values())
        if not total:
            return []
        ordered = sorted(self.lengths.items())
        return [
            _nth(ordered, rank)
            for rank in (0, total // 4, total // 2, 3 * total // 4, total - 1)
        ]


def _nth(ordered: list[tuple[int, int]], rank: int) -> int:
    for length, count in ordered:
        if rank < count:
            return length
        rank -= count
    raise AssertionError("rank is below the total")
