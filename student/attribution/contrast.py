"""A rationale and the options behind it in tokens, as attribution takes them.

question and opening | rationale and separator | option prefix: P tokens     | middle: M
tokens        | tokens of each, with the one that ends it

The middle ends where the options' tokens part.
"""

from collections.abc import Sequence
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from cotbuild.prompts.student import Span, compose_option
from cotbuild.schemas.answers.mentions import find_mentions
from cotbuild.schemas.attribution import ScoredSpan
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.training import Layout
from cotbuild.schemas.variant import TrainingRow
from cotbuild.student.evaluation.options import count_shared_tokens, tokenize_options
from cotbuild.student.evaluation.plan import YES_NO


class AttributionCase(NamedTuple):
    """One rationale, ready for attribution."""

    prefix_ids_P: list[int]
    middle_ids_M: list[int]
    spans_M: list[Span | None]
    """Characters of the rationale that a token of it covers; None: another token, which
    stays as it is on the path.
    """
    kept_M: list[bool]
    """Whether a token stays as it is: the separator's, and one that is the rationale's
    and the separator's at once.
    """
    options: list[list[int]]
    """Tokens of the label, then of each other one."""

    @property
    def num_tokens(self) -> int:
        """Of the longest completion with its prompt."""
        return len(self.prefix_ids_P) + len(self.middle_ids_M) + self.longest

    @property
    def longest(self) -> int:
        """Tokens of the longest option."""
        return max(map(len, self.options))

    @property
    def step_tokens(self) -> int:
        """Tokens that are run for each step along the path."""
        return len(self.middle_ids_M) + len(self.options) * (self.longest - 1)

    def scored(
        self, scores_M: Sequence[float], question: Question, rationale: str
    ) -> tuple[ScoredSpan, ...]:
        """A span for each token of the rationale; marked where it names an option."""
        named = [
            (mention.start, mention.end)
            for mention in find_mentions(rationale, question)
        ]
        return tuple(
            ScoredSpan(
                start=span[0],
                end=span[1],
                score=score,
                option=any(start < span[1] and span[0] < end for start, end in named),
            )
            for span, score in zip(self.spans_M, scores_M, strict=True)
            if span is not None
        )


def list_answers(row: TrainingRow, kind: QuestionKind) -> list[str]:
    """The label, then the other options as texts, each once; of questions without
    options the label alone.
    """
    label = row.completion[row.label_start : row.label_end]
    options = YES_NO if kind is QuestionKind.YES_NO else row.choices
    return list(dict.fromkeys([label, *options]))


def make_case(
    tokenizer: PreTrainedTokenizerBase,
    layout: Layout,
    row: TrainingRow,
    kind: QuestionKind,
) -> AttributionCase:
    """The row's rationale before each of its options, laid out as in training.

    Raises DataError where the rationale's tokens are not the same before all options.
    """
    rationale = row.completion[row.rationale_start : row.rationale_end]
    answers = list_answers(row, kind)
    read = tokenize_options(tokenizer, layout, row.prompt, answers, rationale)
    ids = read[0].ids_T[: count_shared_tokens(read)]
    start = len(row.prompt) + len(layout.opening)
    text = row.prompt + compose_option(layout, answers[0], rationale)[0]
    offsets = tokenizer(text, return_offsets_mapping=True, return_attention_mask=False)[
        "offset_mapping"
    ]
    if offsets[len(ids)][0] < start + len(rationale):
        raise DataError(
            f"question {row.question_id!r} sample {row.sample_index}: the tokens of its rationale change with the "
            "option behind it. Expected a separator that keeps them apart."
        )
    spans, kept = _on_path(offsets[: len(ids)], (start, start + len(rationale)))
    first = kept.index(False) if False in kept else len(kept)
    return AttributionCase(
        ids[:first],
        ids[first:],
        spans[first:],
        kept[first:],
        [option.ids_T[len(ids) :] for option in read],
    )


def _on_path(
    offsets: Sequence[Span], rationale: Span
) -> tuple[list[Span | None], list[bool]]:
    spans: list[Span | None] = []
    kept = []
    for start, end in offsets:
        inside = (
            max(start, rationale[0]) - rationale[0],
            min(end, rationale[1]) - rationale[0],
        )
        spans.append(inside if inside[0] < inside[1] else None)
        kept.append(spans[-1] is None or end > rationale[1])
    return spans, kept
