"""Rows of a variant as examples in tokens: one example a rationale, with one row or, of
two tasks, two.
"""

from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from cotbuild.prompts.student import label_spans, layout_of, question_digest
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.training import Layout, RowsInfo, TrainConfig, VariantRows
from cotbuild.schemas.variant import TrainingRow
from cotbuild.student.tokenize_parts import (
    TokenizedParts,
    TokenPart,
    tokenize_with_parts,
)
from cotbuild.student.training.data import choose_rationales, rows_fingerprint


class TrainingExamples(NamedTuple):
    """What a student is trained on."""

    keys: list[str]
    """One a rationale, of its ids."""
    rows: list[list[TokenizedParts]]
    """Of each rationale; none where one is too long, so that it keeps its place and the
    order stays every variant's.
    """
    info: RowsInfo
    layout: Layout


def make_examples(
    variant_rows: VariantRows,
    tokenizer: PreTrainedTokenizerBase,
    config: TrainConfig,
    max_tokens: int,
) -> TrainingExamples:
    """Choose and encode; raises DataError where every rationale has a row longer than
    `max_tokens`.
    """
    layout = layout_of(variant_rows.spec)
    chosen = choose_rationales(variant_rows.rows, config.rows)
    encoded = [
        [
            tokenize_with_parts(
                tokenizer, row.prompt, row.completion, label_spans(row, layout)
            )
            for row in rows
        ]
        for rows in chosen
    ]
    fits = [all(len(row.input_ids_T) <= max_tokens for row in rows) for rows in encoded]
    kept = [row for rows, fit in zip(chosen, fits, strict=True) if fit for row in rows]
    if not kept:
        raise DataError(
            f"variant {variant_rows.spec.name!r}: every row has more than {max_tokens} tokens. Expected some that fit. "
            "Raise max_tokens, where the student can read so much."
        )
    rows = [rows if fit else [] for rows, fit in zip(encoded, fits, strict=True)]
    info = RowsInfo(
        build=variant_rows.build,
        config_digest=variant_rows.config_digest,
        split=variant_rows.split,
        spec=variant_rows.spec,
        fingerprint=rows_fingerprint(kept),
        num_rows=len(kept),
        too_long=sum(map(len, chosen)) - len(kept),
        rationale_tokens_p99=_p99(
            [_before_label(row) for inner in rows for row in inner]
        ),
        question_digests=tuple(
            sorted(
                {
                    question_digest(variant_rows.question_texts[row.question_id])
                    for row in kept
                }
            )
        ),
    )
    return TrainingExamples([_key(inner[0]) for inner in chosen], rows, info, layout)


def _key(row: TrainingRow) -> str:
    return f"{row.sample_index} {row.question_id}"


def _before_label(row: TokenizedParts) -> int:
    """Tokens between prompt and label; 0 where the label comes first or there is none."""
    if TokenPart.LABEL not in row.parts_T:
        return 0
    return row.parts_T.index(TokenPart.LABEL) - row.parts_T.count(TokenPart.PROMPT)


def _p99(values: list[int]) -> int:
    return sorted(values)[min(len(values) - 1, len(values) * 99 // 100)]
