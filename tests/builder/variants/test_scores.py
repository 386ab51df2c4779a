"""Scores files of both versions: refused rationales, and what variants say of them."""

import json
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.listing import describe_bounds
from cotbuild.builder.variants.registry import builtin_variants
from cotbuild.builder.variants.scores import (
    ScoresFile,
    describe_scores,
    find_scores_files,
    write_scores,
)
from cotbuild.schemas.attribution import Refusal, ScoredRationale
from cotbuild.schemas.variant_set import ScoresEntry
from tests.builder.variants.test_corpus import INFO, scored
from tests.support.examples import example


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
    info = INFO.model_copy(
        update={
            "num_scored": 2,
            "refused": {Refusal.COMPLETENESS: 1, Refusal.RANK_CORRELATION: 1},
        }
    )
    write_scores(
        path,
        info,
        [
            scored(rows[0], (0, 4, 1.0, False)),
            refused(rows[1], Refusal.COMPLETENESS),
            scored(rows[2], (0, 4, 1.0, False)),
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
        "integrated_gradients of embedded; 2 rationales scored; 2 refused "
        "(1 completeness, 1 rank_correlation): no aligned variant has them "
        "(q1 sample 0, q3 sample 0)"
    )


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
        "converge are used too (completeness error: median 45.0%, 95th percentile "
        "569.0%). Attribute again to check each rationale."
    )
