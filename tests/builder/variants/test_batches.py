"""Batches: rows as plain values are those of the records, which validate; counts of
batches add up; any row derived alone is that of the whole.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.storage.parquet import encode_rows
from cotbuild.builder.variants.leak_counts import LeakSample, VariantCounts
from cotbuild.builder.variants.registry import builtin_variants
from cotbuild.builder.variants.text_rows import TextRowsEncoder
from cotbuild.prompts.student import StudentPrompt
from cotbuild.prompts.student_rows import RowComposer
from cotbuild.schemas.question import Question
from cotbuild.schemas.variant import RowFormat
from cotbuild.schemas.variant_rows import TrainingRow
from tests.support.examples import example

SPECS = [
    spec
    for spec in builtin_variants().values()
    if spec.format is RowFormat.TEXT and not spec.mix
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
WORDS = TEXTS.map(lambda text: " ".join(text.split()))
QUESTIONS = st.builds(
    lambda text, options: Question.create(
        f"Q {text}", choices=[f"a{one}" for one in options], target="A"
    ),
    TEXTS,
    st.lists(TEXTS, min_size=2, max_size=5),
)


@given(QUESTIONS, st.sampled_from(SPECS), WORDS)
def test_rows_of_texts_are_those_of_the_validated_record(
    question: Question, spec: Any, rationale: str
) -> None:
    composer, prompt = RowComposer(spec), StudentPrompt(question)
    rows = composer.compose_texts(prompt, 3, "the label", rationale)
    records = [TrainingRow.model_validate(row._asdict()) for row in rows]
    assert records == composer.compose(prompt, 3, "the label", rationale)
    ours = TextRowsEncoder().encode(rows)
    theirs = encode_rows(TrainingRow, records)
    assert ours.lines == theirs.lines
    assert ours.table.equals(theirs.table)


@pytest.mark.parametrize("count", [1, 1_999, 2_000, 2_001, 19_954, 1_000_000])
def test_a_sample_is_spread_and_of_the_size_it_says(count: int) -> None:
    sample = LeakSample.spread(count)
    measured = [number for number in range(count) if sample.has(number)]
    assert len(measured) == sample.size(count) <= 2_000
    assert len(measured) > 1_000 or len(measured) == count
    assert measured[-1] >= count - max(1, count // 500)


def test_counts_of_batches_add_up() -> None:
    texts = ["A cork floats.", "", "Stones sink fast.", "A cork is light."]
    whole = VariantCounts()
    parts = [VariantCounts(), VariantCounts()]
    for number, text in enumerate(texts):
        for counts in (whole, parts[number % 2]):
            counts.add(text, 1, example(text), is_measured=number != 2)
    assert parts[0] + parts[1] == whole
    assert (whole.num_rows, whole.num_empty, whole.num_words) == (4, 1, 10)
    assert whole.num_measured == 3
