"""Scores files of both versions: refused rationales, and what variants say of them."""

import json
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cotbuild.builder.attribution_bounds import LOOSE_BOUNDS
from cotbuild.builder.card.statistics import scores_sentence
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.listing import describe_bounds
from cotbuild.builder.variants.registry import builtin_variants
from cotbuild.builder.variants.scores import (
    ScoresFile,
    describe_scores,
    find_scores_files,
    write_scores,
)
from cotbuild.schemas.attribution import DEFAULT_BOUNDS, Refusal, ScoredRationale
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.variant_set import ScoresEntry
from tests.builder.variants.test_corpus import INFO, scored
from tests.support.examples import example

INTEGRAL = INFO.model_copy(
    update={
        "method": "integrated-gradients",
        "steps": 16,
        "baseline": "pad",
        "bounds": DEFAULT_BOUNDS,
        "completeness_median": 0.02,
        "completeness_p95": 1.42,
    }
)


def converged(row: RationaleExample) -> ScoredRationale:
    measured = {"steps": 64, "completeness_error": 0.01, "rank_correlation": 0.99}
    return scored(row, (0, 4, 1.0, False)).model_copy(update=measured)


def refused(row: RationaleExample, refusal: Refusal) -> ScoredRationale:
    return scored(row).model_copy(
        update={
            "steps": 64,
            "completeness_error": 0.4,
            "rank_correlation": 0.3,
            "refused": refusal,
        }
    )


def test_a_refused_rationale_is_as_if_it_had_no_scores(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    rows = [example("cold water", f"q{number}") for number in range(4)]
    info = INTEGRAL.model_copy(
        update={
            "num_scored": 2,
            "refused": {Refusal.COMPLETENESS: 1, Refusal.RANK_CORRELATION: 1},
        }
    )
    write_scores(
        path,
        info,
        [
            converged(rows[0]),
            refused(rows[1], Refusal.COMPLETENESS),
            converged(rows[2]),
            refused(rows[3], Refusal.RANK_CORRELATION),
        ],
    )
    with closing(ScoresFile(path)) as file:
        assert [file.spans(row) is None for row in rows] == [False, True, False, True]
        assert [str(one) for one in file.refused] == ["q1 sample 0", "q3 sample 0"]
    specs = [builtin_variants()["post_cot_attributed_15_random"]]
    assert find_scores_files(specs) == ["scores"]
    entries = describe_scores(specs, {"scores": path})
    assert entries == {
        "scores": ScoresEntry(info=info, refused=("q1 sample 0", "q3 sample 0"))
    }
    assert describe_bounds(entries["scores"]) == (
        "integrated-gradients of embedded; 2 rationales scored; 2 refused "
        "(1 completeness, 1 rank_correlation): no aligned variant has them "
        "(q1 sample 0, q3 sample 0); bounds: completeness error at most 5%, rank "
        "correlation with half the steps at least 0.95; completeness error: median 2%, "
        "95th percentile 142%"
    )


@pytest.mark.parametrize(
    ("bounds", "is_loose"),
    [
        ({"max_steps": 2}, False),
        ({"max_completeness_error": 0.01, "min_rank_correlation": 0.99}, False),
        ({"max_completeness_error": 1e300}, True),
        ({"min_rank_correlation": 0.9}, True),
    ],
)
def test_bounds_looser_than_the_defaults_are_warned_of(
    bounds: dict[str, float], is_loose: bool
) -> None:
    info = INTEGRAL.model_copy(
        update={"bounds": DEFAULT_BOUNDS.model_copy(update=bounds)}
    )
    entry = ScoresEntry(info=info)
    line = describe_bounds(entry)
    assert line.endswith(f"; WARNING: {LOOSE_BOUNDS}") == is_loose
    assert len(line) < 500
    card = scores_sentence("scores", entry)
    assert (LOOSE_BOUNDS in card) == is_loose
    assert "median 2%, 95th percentile 142%" in card


@pytest.mark.parametrize(
    ("measured", "message"),
    [
        (
            {"completeness_error": 1.57, "rank_correlation": 0.99},
            "(completeness_error 1.57, rank_correlation 0.99) fail a bound of the file, "
            "completeness.",
        ),
        (
            {"completeness_error": 0.01, "rank_correlation": 0.5},
            "(completeness_error 0.01, rank_correlation 0.5) fail a bound of the file, "
            "rank_correlation.",
        ),
        (
            {},
            "(completeness_error None, rank_correlation None) fail a bound of the file, "
            "unchanged.",
        ),
    ],
)
def test_rows_that_fail_the_bounds_of_their_file_are_refused(
    measured: dict[str, float], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "scores.parquet"
    first, second = example("cold water"), example("cold water", "q1")
    row = scored(second, (0, 4, 1.0, False)).model_copy(update=measured)
    write_scores(path, INTEGRAL, [converged(first), row])
    with pytest.raises(DataError) as caught:
        ScoresFile(path)
    assert str(caught.value) == (
        f"{path} row 1: not refused, but its scores {message} Pass a scores file that "
        "`cotbuild attribute` wrote."
    )


def test_scores_of_an_integral_without_bounds_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    write_scores(path, INTEGRAL.model_copy(update={"bounds": None}), [])
    with pytest.raises(DataError, match="metadata: no bounds, which scores by integr"):
        ScoresFile(path)


def test_a_refused_rationale_has_no_spans() -> None:
    row = scored(example("cold water"), (0, 4, 1.0, False))
    with pytest.raises(ValueError, match="refused for completeness, but it has 1 span"):
        ScoredRationale(**dict(row) | {"refused": Refusal.COMPLETENESS})


def test_scores_of_version_1_are_read_and_said_to_lack_bounds(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    row = example("cold water")
    write_scores(path, INFO, [scored(row, (0, 4, 1.0, False))])
    table = pq.read_table(path).drop_columns(
        ["steps", "completeness_error", "rank_correlation", "refused"]
    )
    old = {
        "format_version": 1,
        "student": "embedded",
        "method": "integrated_gradients",
        "steps": 16,
        "baseline": "pad",
        "completeness_median": 0.45,
        "completeness_p95": 5.69,
        "compared_steps": 64,
        "rank_correlation": 0.42,
        "num_compared": 2,
    }
    metadata = {b"cotbuild.scores": json.dumps(old).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    with closing(ScoresFile(path)) as file:
        assert file.spans(row) == [(0, 4, 1.0, False)]
        assert file.refused == ()
    specs = [builtin_variants()["post_cot_attributed_15"]]
    assert describe_bounds(describe_scores(specs, {"scores": path})["scores"]) == (
        "scores of version 1, which were checked against no bound: scores that did not "
        "converge are used too (completeness error: median 45%, 95th percentile "
        "569%). Attribute again to check each rationale."
    )


@pytest.mark.parametrize(
    ("first", "max_steps", "last"),
    [(10, 50, 40), (16, 1024, 1024), (2, 7, 4), (1, 2, 2)],
)
def test_steps_double_up_to_the_most_allowed(
    first: int, max_steps: int, last: int
) -> None:
    bounds = DEFAULT_BOUNDS.model_copy(update={"max_steps": max_steps})
    assert bounds.last_steps(first) == last
