"""A rationale and the options after it, tokenized for attribution.

question and opening | rationale and separator | prefix of the options |
P tokens             | M tokens: the middle                            |

| tokens of each option, with the one that ends it
| where the tokens of the options differ
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from cotbuild.prompts.student import Span, compose_option
from cotbuild.schemas.answers.mentions import find_mentions
from cotbuild.schemas.attribution import ScoredSpan
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.training import Layout
from cotbuild.schemas.variant_rows import (
    TrainingRow,
)
from cotbuild.student.evaluation.options import count_shared_tokens, tokenize_options
from cotbuild.student.evaluation.plan import YES_NO


class AttributionCase(NamedTuple):
    """One rationale, tokenized for attribution."""

    prefix_ids_P: list[int]
    middle_ids_M: list[int]
    spans_M: list[Span | None]
    """Characters of the rationale that a token covers; None: it covers none of them."""
    kept_M: list[bool]
    """Whether a token stays the same along the path.

    So do tokens of the separator, and one that the rationale and the separator share.
    """
    options: list[list[int]]
    """Tokens of the label, then those of each other option."""

    @property
    def num_tokens(self) -> int:
        """Tokens of the longest completion with its prompt."""
        return len(self.prefix_ids_P) + len(self.middle_ids_M) + self.longest

    @property
    def longest(self) -> int:
        """Tokens of the longest option."""
        return max(map(len, self.options))

    @property
    def step_tokens(self) -> int:
        """Tokens run for each step along the path."""
        return len(self.middle_ids_M) + len(self.options) * (self.longest - 1)

    def make_spans(
        self, scores_M: Sequence[float], question: Question, rationale: str
    ) -> tuple[ScoredSpan, ...]:
        """Return a span for each token of the rationale, marked if it names an option."""
        scored = [
            (span, score)
            for span, score in zip(self.spans_M, scores_M, strict=True)
            if span is not None
        ]
        return mark_spans(scored, question, rationale)


def mark_spans(
    scored: Iterable[tuple[Span, float]], question: Question, rationale: str
) -> tuple[ScoredSpan, ...]:
    """Return spans of a rationale with their scores, marked if they name an option."""
    mentions = find_mentions(rationale, question)
    spans = []
    for (start, end), score in scored:
        names_option = any(
            mention.start < end and start < mention.end for mention in mentions
        )
        spans.append(ScoredSpan(start=start, end=end, score=score, option=names_option))
    return tuple(spans)


def list_answers(row: TrainingRow, kind: QuestionKind) -> list[str]:
    """Return the label of a row, then the other options as the student says them.

    Only the label if the question has no options. Each text occurs once.
    """
    label = row.completion[row.label_start : row.label_end]
    options = YES_NO if kind is QuestionKind.YES_NO else row.choices
    return list(dict.fromkeys([label, *options]))


class SharedTokensError(DataError):
    """A rationale has no tokens that are its own, whichever option follows."""


def make_case(
    tokenizer: PreTrainedTokenizerBase,
    layout: Layout,
    row: TrainingRow,
    kind: QuestionKind,
) -> AttributionCase:
    """Tokenize a row's rationale with each of its options after it, as in training.

    Raises SharedTokensError if they depend on the option, or none is the rationale's alone.
    """
    rationale = row.completion[row.rationale_start : row.rationale_end]
    answers = list_answers(row, kind)
    options = tokenize_options(tokenizer, layout, row.prompt, answers, rationale)
    num_shared = count_shared_tokens(options)
    shared_ids = options[0].ids_T[:num_shared]
    start = len(row.prompt) + len(layout.opening)
    end = start + len(rationale)
    text = row.prompt + compose_option(layout, answers[0], rationale)[0]
    encoding = tokenizer(text, return_offsets_mapping=True, return_attention_mask=False)
    offsets = encoding["offset_mapping"]
    if offsets[num_shared][0] < end:
        raise SharedTokensError(
            f"question {row.question_id!r} sample {row.sample_index}: the tokens of its "
            "rationale change with the option after it. Use a student whose tokenizer "
            "splits text at the separator."
        )
    spans, kept = _map_to_rationale(offsets[:num_shared], start, end)
    if False not in kept:
        raise SharedTokensError(
            f"question {row.question_id!r} sample {row.sample_index}: no token is of its "
            "rationale alone, so there is nothing to attribute."
        )
    first = kept.index(False)
    return AttributionCase(
        prefix_ids_P=shared_ids[:first],
        middle_ids_M=shared_ids[first:],
        spans_M=spans[first:],
        kept_M=kept[first:],
        options=[option.ids_T[num_shared:] for option in options],
    )


def _map_to_rationale(
    offsets: Sequence[Span], rationale_start: int, rationale_end: int
) -> tuple[list[Span | None], list[bool]]:
    """Return each token's span in the rationale, and whether it is kept on the path."""
    spans: list[Span | None] = []
    kept: list[bool] = []
    for token_start, token_end in offsets:
        start = max(token_start, rationale_start)
        end = min(token_end, rationale_end)
        if start < end:
            spans.append((start - rationale_start, end - rationale_start))
            kept.append(token_end > rationale_end)
        else:
            spans.append(None)
            kept.append(True)
    return spans, kept
