"""From chains to published rows: pure, and rebuilt at will without asking anybody."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from cotbuild.builder.plan import Chain
from cotbuild.prompts.template import Template
from cotbuild.schemas.completion import Completion, Failure
from cotbuild.schemas.extract import extract, verdict
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.rationale import Flag, Rationale, Verdict


@dataclass(frozen=True)
class Judgement:
    """What a completion says, and whether it is right."""

    rationale: str
    answer: str | None
    verdict: Verdict
    flags: tuple[Flag, ...]


def judge(question: Question, template: Template, completion: Completion) -> Judgement:
    """Extract and grade one completion. Reasoning the server kept apart stands in where the text has none."""
    answer_first = template.answer == "first"
    found = extract(completion.text, question, answer_first=answer_first)
    result, flags = verdict(found, completion.finish_reason, question, answer_first=answer_first)
    rationale = found.rationale
    if not rationale and completion.reasoning:
        rationale = completion.reasoning.strip()
        flags = tuple(flag for flag in flags if flag is not Flag.NO_RATIONALE)
    return Judgement(rationale, found.answer, result, flags)


def to_rationale(chain: Chain, template: Template) -> Rationale:
    """The published row of one finished chain; its last answer is the one that counts."""
    question, answer = chain.question, chain.answers[-1]
    said = _failed(answer) if isinstance(answer, Failure) else _answered(judge(question, template, answer), answer)
    return Rationale(
        question_id=question.id,
        sample_index=chain.sample_index,
        kind=question.kind,
        question=question.text,
        choices=question.choices,
        target=question.target,
        other_targets=question.other_targets,
        **said,
        template=template.ref,
        request_key=answer.request_key,
        dataset=question.source.dataset,
        config_name=question.source.config_name,
        split=question.source.split,
        revision=question.source.revision,
        row=question.source.row,
    )


def _answered(judgement: Judgement, completion: Completion) -> dict[str, Any]:
    return {
        "rationale": judgement.rationale,
        "answer": judgement.answer,
        "verdict": judgement.verdict,
        "flags": judgement.flags,
        "completion": completion.text,
        "reasoning": completion.reasoning,
        "finish_reason": completion.finish_reason,
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        "failure": None,
    }


def _failed(failure: Failure) -> dict[str, Any]:
    nothing = ("answer", "completion", "reasoning", "finish_reason", "prompt_tokens", "completion_tokens")
    return {
        **dict.fromkeys(nothing),
        "rationale": "",
        "verdict": Verdict.UNSCORED,
        "flags": (),
        "failure": failure.kind.value,
    }


@dataclass
class Tally:
    """Counts over the rows of a build, filled as they pass by."""

    verdicts: Counter[str] = field(default_factory=Counter)
    by_target: dict[str, Counter[str]] = field(default_factory=dict)
    flags: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    templates: Counter[str] = field(default_factory=Counter)
    completion_tokens: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    """Characters of a kept rationale → how many have that length."""

    def add(self, row: Rationale) -> None:
        self.verdicts[row.verdict.value] += 1
        self.templates[row.template] += 1
        self.flags.update(flag.value for flag in row.flags)
        self.completion_tokens += row.completion_tokens or 0
        if row.verdict is Verdict.UNSCORED:
            self.failures[row.failure or "no_target"] += 1
        if row.rationale:
            self.lengths[len(row.rationale)] += 1
        if row.target is not None and row.kind in (QuestionKind.CHOICE, QuestionKind.YES_NO):
            self.by_target.setdefault(f"{row.kind.value}: {row.target}", Counter())[row.verdict.value] += 1

    def length_quartiles(self) -> list[int]:
        """Minimum, quartiles and maximum of the kept rationales' length in characters; empty where there are none."""
        total = sum(self.lengths.values())
        if not total:
            return []
        ordered = sorted(self.lengths.items())
        return [_nth(ordered, rank) for rank in (0, total // 4, total // 2, 3 * total // 4, total - 1)]


def _nth(ordered: list[tuple[int, int]], rank: int) -> int:
    for length, count in ordered:
        if rank < count:
            return length
        rank -= count
    raise AssertionError("rank is below the total")
