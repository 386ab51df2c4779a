"""A rationale and the options behind it in tokens, as attribution takes them.

question and opening | rationale and separator | option
prefix: P tokens     | middle: M tokens        | label tokens of each, with the one that ends it
"""

from collections.abc import Sequence
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from cotbuild.schemas.errors import DataError
from cotbuild.schemas.mentions import find_mentions
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.scores import ScoredSpan
from cotbuild.schemas.student import Layout
from cotbuild.schemas.variant import TrainingRow
from cotbuild.student.encode import Encoded, Part, encode
from cotbuild.student.layout import Span, option_completion

YES_NO = ("yes", "no")


class Case(NamedTuple):
    """One rationale, ready for attribution."""

    prefix_ids_P: list[int]
    middle_ids_M: list[int]
    spans_M: list[Span | None]
    """Characters of the rationale that a token of it covers; None: another token, which stays as it is on the path."""
    kept_M: list[bool]
    """Whether a token stays as it is: the separator's, and one that is the rationale's and the separator's at once."""
    label_ids: list[list[int]]
    """Tokens of the label, then of each other option, with the one behind it that ends it."""

    @property
    def num_tokens(self) -> int:
        """Of the longest completion with its prompt."""
        return len(self.prefix_ids_P) + len(self.middle_ids_M) + max(map(len, self.label_ids))

    @property
    def step_tokens(self) -> int:
        """Tokens that are run for each step along the path."""
        longest = max(map(len, self.label_ids))
        return len(self.middle_ids_M) + len(self.label_ids) * (longest - 1)

    def scored(self, scores_M: Sequence[float], question: Question, rationale: str) -> tuple[ScoredSpan, ...]:
        """A span for each token of the rationale; marked where it names an option."""
        named = [(mention.start, mention.end) for mention in find_mentions(rationale, question)]
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


def answers_of(row: TrainingRow, kind: QuestionKind) -> list[str]:
    """The label, then the other options as texts, each once; of questions without options the label alone."""
    label = row.completion[row.label_start : row.label_end]
    options = YES_NO if kind is QuestionKind.YES_NO else row.choices
    return list(dict.fromkeys([label, *options]))


def case_of(tokenizer: PreTrainedTokenizerBase, layout: Layout, row: TrainingRow, kind: QuestionKind) -> Case:
    """The row's rationale before each of its options, laid out as in training.

    Raises DataError where the tokens before the label are not the same for all options.
    """
    rationale = row.completion[row.rationale_start : row.rationale_end]
    read = [_before_and_label(tokenizer, layout, row.prompt, rationale, text) for text in answers_of(row, kind)]
    before = read[0][0]
    if any(other != before for other, _ in read):
        raise DataError(
            f"question {row.question_id!r} sample {row.sample_index}: its tokens before the label change with the "
            "option. Expected a separator that keeps them apart."
        )
    text = row.prompt + option_completion(layout, "", rationale)[0]
    start = len(row.prompt) + len(layout.opening)
    spans, kept = _on_path(_offsets(tokenizer, text, len(before)), (start, start + len(rationale)))
    first = kept.index(False) if False in kept else len(kept)
    return Case(before[:first], before[first:], spans[first:], kept[first:], [label for _, label in read])


def _before_and_label(
    tokenizer: PreTrainedTokenizerBase, layout: Layout, prompt: str, rationale: str, option: str
) -> tuple[list[int], list[int]]:
    completion, span = option_completion(layout, option, rationale)
    found: Encoded = encode(tokenizer, prompt, completion, [span], end=not layout.behind_label)
    begin = found.parts_T.index(Part.LABEL)
    label = [i for i, part in zip(found.input_ids_T, found.parts_T, strict=True) if part == Part.LABEL]
    return found.input_ids_T[:begin], label


def _offsets(tokenizer: PreTrainedTokenizerBase, text: str, count: int) -> list[Span]:
    """Of the first `count` tokens, which are the same whatever option follows."""
    read = tokenizer(text, return_offsets_mapping=True, return_attention_mask=False)
    offsets: list[Span] = read["offset_mapping"][:count]
    return offsets


def _on_path(offsets: Sequence[Span], rationale: Span) -> tuple[list[Span | None], list[bool]]:
    spans: list[Span | None] = []
    kept = []
    for start, end in offsets:
        inside = max(start, rationale[0]) - rationale[0], min(end, rationale[1]) - rationale[0]
        spans.append(inside if inside[0] < inside[1] else None)
        kept.append(spans[-1] is None or end > rationale[1])
    return spans, kept
