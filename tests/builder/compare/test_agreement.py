"""Agreement of two scores files on the words of the same rationales."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from cotbuild.builder.compare.agreement import (
    RowAgreement,
    TopOverlap,
    agreement_csv,
    compare_scores,
    summarize_agreement,
)
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.scores import write_scores
from cotbuild.builder.variants.units import word_spans
from tests.builder.variants.test_corpus import INFO, scored
from tests.support.examples import example

TEXT = "one two three four five six seven eight"


def write(path: Path, rows: Sequence[tuple[RationaleExample, Sequence[float]]]) -> None:
    """A file with a score for each word."""
    write_scores(
        path,
        INFO,
        [
            scored(
                row,
                *(
                    (start, end, float(score), False)
                    for (start, end), score in zip(
                        word_spans(row.rationale), scores, strict=True
                    )
                ),
            )
            for row, scores in rows
        ],
    )


def test_rows_are_compared_word_by_word(tmp_path: Path) -> None:
    first, second = tmp_path / "first.parquet", tmp_path / "second.parquet"
    rows = [example(TEXT, f"q{number}") for number in range(5)]
    rising = list(range(8))
    write(
        first,
        [(rows[0], rising), (rows[1], rising), (rows[2], [1.0] * 8), (rows[3], rising)],
    )
    write(
        second,
        [
            (rows[0], rising),
            (rows[1], rising[::-1]),
            (rows[2], rising),
            (rows[4], rising),
        ],
    )
    found = compare_scores(first, second, rows)
    by_chance = 5 / 8
    assert found.num_missing == (1, 1)
    assert [row._replace(rank_correlation=None) for row in found.rows] == [
        RowAgreement("q0", 0, 8, None, {5: TopOverlap(1.0, by_chance)}),
        RowAgreement("q1", 0, 8, None, {5: TopOverlap(0.4, by_chance)}),
        RowAgreement("q2", 0, 8, None, {5: TopOverlap(0.4, by_chance)}),
    ]
    rising_falling_equal = [row.rank_correlation for row in found.rows]
    assert rising_falling_equal[:2] == pytest.approx([1.0, -1.0])
    assert rising_falling_equal[2] is None
    assert list(summarize_agreement(found, "second.parquet")) == [
        "agreement of leave-one-word-out with leave-one-word-out (second.parquet): "
        "3 rationales with both; without scores by the first 1, by the second 1",
        "rank correlation of words: median 0.00, from -0.90 to 0.90 (5th and 95th "
        "percentile)",
        "top 5 words in both: 60%, by chance 62% (3 rationales of more than 5 words)",
    ]
    table = agreement_csv(found.rows, "second.parquet").splitlines()
    assert table[0] == (
        "compared_with,question_id,sample_index,num_words,rank_correlation,top_5,"
        "top_5_by_chance,top_15,top_15_by_chance"
    )
    assert table[3] == "second.parquet,q2,0,8,,0.4,0.625,,"


def test_files_without_a_rationale_in_common_have_counts_alone(tmp_path: Path) -> None:
    first, second = tmp_path / "first.parquet", tmp_path / "second.parquet"
    row, other = example("one two"), example("one two", "other")
    write(first, [(row, [1, 2])])
    write(second, [(other, [1, 2])])
    found = compare_scores(first, second, [row, other])
    assert (found.rows, found.num_missing) == ([], (1, 1))
    assert len(list(summarize_agreement(found, "second"))) == 1
