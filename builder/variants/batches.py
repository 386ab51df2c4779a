"""Derive the rows of a batch of rationales in every variant of a set: columns to write,
and counts that add up. Pure, so that any process may do it.
"""

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from cotbuild.builder.storage.parquet import EncodedRows, encode_rows
from cotbuild.builder.variants.derive import DerivedRationale, VariantDeriver
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.leak_counts import VariantCounts
from cotbuild.builder.variants.text_rows import TextRowsEncoder
from cotbuild.prompts.student_rows import TextRow
from cotbuild.schemas.variant_rows import MessagesRow, VariantRow

BATCH_RATIONALES = 250


NumberedRow = tuple[int, dict[str, Any]]
"""The number of a rationale among those selected, and its plain values."""


class DerivedBatch(NamedTuple):
    """What the variants of a set derive from some rationales, by the variant's name."""

    rows: dict[str, EncodedRows]
    """Only of variants that have any."""
    counts: dict[str, VariantCounts]


@contextmanager
def open_deriver(
    deriver: VariantDeriver,
) -> Iterator[Callable[[list[NumberedRow]], DerivedBatch]]:
    """Yield the function that derives the rows of a batch, in any process."""

    def derive(rows: list[NumberedRow]) -> DerivedBatch:
        examples = ((number, deriver.read_example(row)) for number, row in rows)
        with _without_collecting_garbage():
            return derive_batch(deriver, examples)

    yield derive


@contextmanager
def _without_collecting_garbage() -> Iterator[None]:
    """Keep Python from looking for objects in circles, of which a batch makes none.

    Python looks for them again and again as long as objects become more.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def derive_batch(
    deriver: VariantDeriver, examples: Iterable[tuple[int, RationaleExample]]
) -> DerivedBatch:
    """Derive the rows of rationales, each with its number among those selected."""
    texts: dict[str, list[TextRow]] = {}
    messages: dict[str, list[VariantRow]] = {}
    counts = {spec.name: VariantCounts() for spec in deriver.variants.specs}
    for number, example in examples:
        derived = deriver.derive(example)
        is_measured = deriver.is_measured(number)
        for name in derived.dropped_by:
            counts[name].num_dropped += 1
        for name, part in derived.parts.items():
            num_rows = _add_rows(texts, messages, name, derived)
            counts[name].add(
                part.text.rationale, num_rows, example, is_measured=is_measured
            )
    encoder = TextRowsEncoder()
    rows = {name: encoder.encode(text_rows) for name, text_rows in texts.items()}
    for name, records in messages.items():
        rows[name] = encode_rows(MessagesRow, records)
    return DerivedBatch(rows, counts)


def _add_rows(
    texts: dict[str, list[TextRow]],
    messages: dict[str, list[VariantRow]],
    name: str,
    derived: DerivedRationale,
) -> int:
    """Add the rows of a rationale to those of its variant; return how many they are."""
    if derived.parts[name].compiled.composer.has_texts:
        text_rows = derived.text_rows(name)
        texts.setdefault(name, []).extend(text_rows)
        return len(text_rows)
    records = derived.rows(name)
    messages.setdefault(name, []).extend(records)
    return len(records)
