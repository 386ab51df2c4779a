"""Tokenized training examples: one per rationale, with one row, or two of two tasks."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from cotbuild.prompts.student import (
    find_layout,
    label_spans,
    layout_of,
    question_digest,
)
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.training import (
    Layout,
    RowsInfo,
    TokenLengths,
    TrainConfig,
    VariantRows,
)
from cotbuild.schemas.variant import (
    RowFormat,
    VariantSpec,
)
from cotbuild.schemas.variant_rows import (
    VariantRow,
)
from cotbuild.student.chat import ChatForm
from cotbuild.student.tokenize_parts import (
    TokenizedParts,
    TokenPart,
    tokenize_with_parts,
)


class TrainingExamples(NamedTuple):
    """What a student is trained on."""

    keys: list[str]
    """One per rationale, made of its ids."""
    rows: list[list[TokenizedParts]]
    """Rows of each rationale.

    Empty if one of them is too long: the rationale keeps its place, so that the order
    of the others is the same for every variant.
    """
    info: RowsInfo
    layout: Layout


def choose_rationales(
    rows: Iterable[VariantRow], number: int | None
) -> list[list[VariantRow]]:
    """Group rows by rationale and take the first `number` rationales; None: all.

    The order is that of a digest of question id and sample index, and of nothing else.
    So every variant gets the same rationales, and a larger number includes those of a
    smaller one.
    """
    groups: dict[str, list[VariantRow]] = {}
    for row in rows:
        key = digest("rationale", [row.question_id, row.sample_index])
        groups.setdefault(key, []).append(row)
    return [groups[key] for key in sorted(groups)[:number]]


def fingerprint_rows(rows: Iterable[VariantRow]) -> str:
    """Return a digest of rows in order, 64 hex digits."""
    row_digests = [digest("row", row.model_dump(mode="json")) for row in rows]
    return digest("student rows/1", row_digests)


def make_examples(
    variant_rows: VariantRows,
    tokenizer: PreTrainedTokenizerBase,
    config: TrainConfig,
    max_tokens: int,
) -> TrainingExamples:
    """Choose the rationales to train on and tokenize their rows.

    Rationales with a row of more than `max_tokens` tokens are left out and counted.
    Raises DataError if there are none or none is left, ConfigError if the rows are messages and the
    tokenizer has no chat template for them.
    """
    layout = layout_of(variant_rows.spec)
    chosen = choose_rationales(variant_rows.rows, config.rows)
    tokenized: list[list[TokenizedParts]] = []
    kept: list[VariantRow] = []
    tokenize = RowTokenizer(tokenizer, variant_rows.spec, config.student)
    for group in chosen:
        of_group = [tokenize(row) for row in group]
        if all(len(row.input_ids_T) <= max_tokens for row in of_group):
            tokenized.append(of_group)
            kept += group
        else:
            tokenized.append([])
    if not chosen:
        raise DataError(
            f"variant {variant_rows.spec.name!r}: has no rows. Derive it from a build with "
            "rationales, or train on another variant."
        )
    if not kept:
        raise DataError(
            f"variant {variant_rows.spec.name!r}: every row has more than {max_tokens} "
            "tokens. Raise max_tokens if the student can read more."
        )
    keys = [f"{group[0].sample_index} {group[0].question_id}" for group in chosen]
    num_chosen = sum(len(group) for group in chosen)
    info = _describe_rows(variant_rows, kept, num_chosen, tokenized)
    return TrainingExamples(keys, tokenized, info, layout)


class RowTokenizer:
    """Tokenizes the rows of a variant, with the parts of the loss."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, spec: VariantSpec, student: str
    ) -> None:
        """`student` is its name. Raises ConfigError as `ChatForm` does."""
        self._tokenizer, self._spec = tokenizer, spec
        self._chat = None
        if spec.format is RowFormat.MESSAGES:
            self._chat = ChatForm(tokenizer, student)

    def __call__(self, row: VariantRow) -> TokenizedParts:
        """Tokenize a row; messages end as the chat template ends them."""
        layout = find_layout(row, self._spec)
        if self._chat is not None:
            row = self._chat.training_row(row)
            layout = self._chat.training_layout(layout)
        return tokenize_with_parts(
            self._tokenizer,
            str(row.prompt),
            row.completion_text,
            label_spans(row, layout),
            end=self._chat is None,
        )


def _describe_rows(
    variant_rows: VariantRows,
    kept: Sequence[VariantRow],
    num_chosen: int,
    tokenized: Sequence[Sequence[TokenizedParts]],
) -> RowsInfo:
    texts = variant_rows.question_texts
    question_digests = {question_digest(texts[row.question_id]) for row in kept}
    rows = [row for of_group in tokenized for row in of_group]
    before_label = [_count_before_label(row) for row in rows]
    return RowsInfo(
        build=variant_rows.build,
        config_digest=variant_rows.config_digest,
        split=variant_rows.split,
        spec=variant_rows.spec,
        fingerprint=fingerprint_rows(kept),
        num_rows=len(kept),
        too_long=num_chosen - len(kept),
        rationale_tokens_p99=_percentile_99(before_label),
        label_tokens=_measure_lengths(map(_count_label, rows)),
        rationale_tokens=_measure_lengths(
            row.parts_T.count(TokenPart.RATIONALE) for row in rows
        ),
        multiline_labels=any(map(_has_line_break_in_label, kept)),
        merged_label_ends=sum(row.merged_ends for row in rows),
        question_digests=tuple(sorted(question_digests)),
    )


def _count_before_label(row: TokenizedParts) -> int:
    """Count the tokens between prompt and label; 0 if it comes first or is missing."""
    if TokenPart.LABEL not in row.parts_T:
        return 0
    return row.parts_T.index(TokenPart.LABEL) - row.parts_T.count(TokenPart.PROMPT)


def _count_label(row: TokenizedParts) -> int:
    """Count the tokens of the first label and the one that ends it; 0 without a label."""
    if TokenPart.LABEL not in row.parts_T:
        return 0
    start = row.parts_T.index(TokenPart.LABEL)
    after_start = row.parts_T[start:]
    return next(
        (i for i, part in enumerate(after_start) if part != TokenPart.LABEL),
        len(after_start),
    )


def _has_line_break_in_label(row: VariantRow) -> bool:
    return "\n" in row.completion_text[row.label_start or 0 : row.label_end or 0]


def _measure_lengths(counts: Iterable[int]) -> TokenLengths | None:
    """Summarize the counts above 0; None if there are none."""
    present = [count for count in counts if count]
    if not present:
        return None
    return TokenLengths(
        mean=sum(present) / len(present),
        p99=_percentile_99(present),
        max=max(present),
    )


def _percentile_99(values: list[int]) -> int:
    return sorted(values)[min(len(values) - 1, len(values) * 99 // 100)]
