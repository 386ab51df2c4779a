"""Which files `cotbuild attribute` neither replaces nor compares with."""

from pathlib import Path

import pytest

from cotbuild.builder.cli.attribution_files import (
    agreement_table,
    check_agreement,
    check_out,
)
from cotbuild.builder.compare.agreement import agreement_csv, compare_scores
from cotbuild.builder.variants.scores import write_scores
from cotbuild.schemas.attribution import (
    AttributionMethod,
    ConvergenceBounds,
    ScoresInfo,
)
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.student.attribution.settings import (
    AttributionSettings,
    IntegrationSettings,
)
from tests.builder.variants.test_corpus import scored
from tests.student.attribution.test_gradients import LAYOUT
from tests.support.examples import example

BOUNDS = ConvergenceBounds(
    max_steps=64, max_completeness_error=0.05, min_rank_correlation=0.9
)
SETTINGS = AttributionSettings(
    method=AttributionMethod.INTEGRATED_GRADIENTS,
    student="trained:1",
    rows="r",
    layout=LAYOUT,
    integration=IntegrationSettings(steps=2, bounds=BOUNDS),
    baseline="b",
)
INFO = ScoresInfo(
    student="trained:1",
    method="integrated-gradients",
    steps=2,
    baseline="b",
    bounds=BOUNDS,
)
EXAMPLES = [example("one two", f"q{number}") for number in range(3)]


def write(path: Path, info: ScoresInfo = INFO, text: str | None = None) -> Path:
    rows = [one if text is None else example(text, one.question_id) for one in EXAMPLES]
    measured = {"completeness_error": 0.01, "rank_correlation": 0.99}
    write_scores(
        path,
        info,
        [scored(row, (0, 3, 1.0, False)).model_copy(update=measured) for row in rows],
    )
    return path


@pytest.mark.parametrize(
    ("change", "num_new", "message"),
    [
        ({}, 3, None),
        ({}, 4, None),
        ({}, 2, "has scores of 3 rationales, and these are 2. Pass another file"),
        (
            {"student": "trained:2"},
            3,
            "has scores by student trained:2, not trained:1.",
        ),
        ({"method": "leave-one-word-out"}, 3, "by leave-one-word-out, not integrated-"),
        ({"steps": 4}, 3, "has scores with other steps or bounds."),
        (
            {"bounds": BOUNDS.model_copy(update={"max_steps": 32})},
            3,
            "has scores with other steps or",
        ),
    ],
)
def test_scores_of_another_attribution_are_not_replaced(
    change: dict[str, object], num_new: int, message: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "scores.parquet"
    check_out(path, SETTINGS, num_new)
    info = INFO.model_copy(update=change)
    write(path, info)
    if message is None:
        check_out(path, SETTINGS, num_new)
        return
    with pytest.raises(ConfigError) as caught:
        check_out(path, SETTINGS, num_new)
    assert message in str(caught.value)


def test_what_is_no_scores_file_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    path.write_text("mine")
    with pytest.raises(DataError, match=r"scores\.parquet"):
        check_out(path, SETTINGS, 3)


def test_scores_that_cannot_be_compared_are_refused_before_the_work(
    tmp_path: Path,
) -> None:
    path, other = tmp_path / "new.parquet", write(tmp_path / "other.parquet")
    check_agreement(other, path, EXAMPLES)
    with pytest.raises(DataError, match="absent"):
        check_agreement(tmp_path / "absent.parquet", path, EXAMPLES)
    with pytest.raises(ConfigError, match="is the file that the scores are written to"):
        check_agreement(other, tmp_path / "x" / ".." / other.name, EXAMPLES)
    with pytest.raises(ConfigError, match="has scores of none of the 1 rationales"):
        check_agreement(other, path, [example("one two", "another")])
    with pytest.raises(DataError, match="the scored text has digest"):
        check_agreement(write(other, text="one three"), path, EXAMPLES)


def test_a_table_of_agreement_with_another_file_is_not_replaced(tmp_path: Path) -> None:
    path, other = write(tmp_path / "new.parquet"), write(tmp_path / "other.parquet")
    table = agreement_table(path)
    assert table.name == "new.agreement.csv"
    rows = compare_scores(path, other, EXAMPLES).rows
    table.write_text(agreement_csv(rows, str(other)), encoding="utf-8")
    check_agreement(other, path, EXAMPLES)
    third = write(tmp_path / "third.parquet")
    with pytest.raises(ConfigError, match="compares with "):
        check_agreement(third, path, EXAMPLES)
    table.write_text(agreement_csv((), str(other)), encoding="utf-8")
    check_agreement(third, path, EXAMPLES)
