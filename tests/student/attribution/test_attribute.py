"""The attribution log, the runs that can be attributed, and the scores' summary."""

from pathlib import Path

import pytest

from cotbuild.schemas.attribution import ScoredRationale, ScoredSpan, ScoresInfo
from cotbuild.schemas.errors import ConfigError, StoreError
from cotbuild.schemas.training import Layout, RowsInfo, StudentRun, TrainConfig
from cotbuild.schemas.variant import VariantSpec
from cotbuild.student.attribution.attribute import (
    AttributedRationale,
    AttributedRow,
    AttributionLog,
    AttributionSettings,
    attribute_rationales,
    check_attributable,
    make_jobs,
    summarize_scores,
)
from tests.student.attribution.test_gradients import LAYOUT, QUESTION, RATIONALE, row_of
from tests.support.tiny import tiny_student


def finished(
    number: int, error: float | None = 0.1, rank: float | None = 0.5
) -> AttributedRationale:
    spans = (ScoredSpan(start=0, end=3, score=-0.1 * number, option=False),)
    scored = ScoredRationale(
        question_id=f"q½{number}",
        sample_index=number,
        rationale_digest="d",
        spans=spans,
    )
    return AttributedRationale(
        scored=scored, completeness_error=error, rank_correlation=rank
    )


def test_a_log_returns_its_rows_in_order_when_reopened(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "log.jsonl"
    rows = [finished(number) for number in range(4)]
    for part in (rows[:1], rows[1:3], rows[3:]):
        with AttributionLog(path) as log:
            for row in part:
                log.append(row)
    with AttributionLog(path) as log:
        assert list(log.rows.values()) == rows
        assert list(log.rows) == [(f"q½{number}", number) for number in range(4)]


def test_a_torn_last_line_is_cut_off_wherever_it_is_torn(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.jsonl"
    with AttributionLog(path) as log:
        log.append(finished(0))
        begin = path.stat().st_size
        log.append(finished(1))
    whole = path.read_bytes()
    for cut in range(begin, len(whole)):
        path.write_bytes(whole[:cut])
        with AttributionLog(path) as log:
            assert list(log.rows.values()) == [finished(0)]
            log.append(finished(1))
        assert path.read_bytes() == whole


@pytest.mark.parametrize("damaged", [b"{}\n", b"nothing\n", b"[1]\n", b"\xff\n"])
def test_a_damaged_line_is_reported_by_its_number(
    tmp_path: Path, damaged: bytes
) -> None:
    path = tmp_path / "log.jsonl"
    with AttributionLog(path) as log:
        log.append(finished(0))
    path.write_bytes(path.read_bytes() + damaged + path.read_bytes())
    with pytest.raises(StoreError, match=r"log\.jsonl line 2: "):
        AttributionLog(path)


def test_a_log_is_locked_while_it_is_open(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with (
        AttributionLog(path),
        pytest.raises(StoreError, match="another process is writing to it"),
    ):
        AttributionLog(path)
    with AttributionLog(path) as log:
        assert not log.rows


def run_of(
    placement: str, layout: Layout, transforms: tuple[dict[str, str], ...] = ()
) -> StudentRun:
    spec = VariantSpec.parse(
        {"name": "v", "about": "a", "placement": placement, "transforms": transforms},
        "test",
    )
    data = RowsInfo(
        build="b",
        config_digest="c",
        split="train",
        spec=spec,
        fingerprint="f",
        num_rows=1,
        too_long=0,
        rationale_tokens_p99=9,
        question_digests=(),
    )
    return StudentRun(
        config=TrainConfig(variant="v"),
        student="s",
        data=data,
        layout=layout,
        versions={},
    )


LABEL_FIRST = "says the label first"


@pytest.mark.parametrize(
    ("placement", "layout", "said"),
    [
        (
            "post_cot",
            Layout(
                order=("label", "rationale"), opening=" ", joints=("\nReasoning: ",)
            ),
            LABEL_FIRST,
        ),
        ("label_only", Layout(order=("label",), opening=" ", joints=()), LABEL_FIRST),
        ("two_tasks", Layout(order=("label",), opening=" ", joints=()), LABEL_FIRST),
        (
            "both_sides",
            Layout(
                order=("label", "rationale", "label"), opening=" ", joints=("\n", "\n")
            ),
            LABEL_FIRST,
        ),
        (
            "rationale_only",
            Layout(order=("rationale",), opening=" ", joints=()),
            "says no label",
        ),
    ],
)
def test_a_run_that_does_not_read_the_rationale_first_is_rejected(
    placement: str, layout: Layout, said: str
) -> None:
    with pytest.raises(ConfigError, match=f"runs/x: variant 'v' {said}") as caught:
        check_attributable(run_of(placement, layout), "runs/x")
    assert "\n" not in str(caught.value)


def test_a_run_on_transformed_rationales_is_rejected() -> None:
    with pytest.raises(ConfigError, match=r"changes the rationale \(shuffle\)"):
        check_attributable(run_of("pre_cot", LAYOUT, ({"do": "shuffle"},)), "runs/x")
    check_attributable(run_of("pre_cot", LAYOUT), "runs/x")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"placement": "pre_cot", "format": "messages"}, "has rows of messages"),
        ({"placement": "given_rationale"}, "has the rationale in its prompt"),
    ],
)
def test_a_run_on_rows_that_are_not_attributed_is_rejected(
    fields: dict[str, str], said: str
) -> None:
    run = run_of("pre_cot", LAYOUT)
    spec = VariantSpec.parse({"name": "v", "about": "a", **fields}, "test")
    data = run.data.model_copy(update={"spec": spec})
    with pytest.raises(ConfigError, match=said) as caught:
        check_attributable(run.model_copy(update={"data": data}), "runs/x")
    assert "\n" not in str(caught.value)


SETTINGS = AttributionSettings(
    student="s", rows="r", layout=LAYOUT, steps=2, baseline="b"
)


def test_each_setting_has_its_own_log() -> None:
    changes = ({"student": "t"}, {"rows": "t"}, {"steps": 3}, {"baseline": "t"})
    assert (
        len(
            {
                SETTINGS.key,
                *(SETTINGS.model_copy(update=change).key for change in changes),
            }
        )
        == 5
    )


def test_scores_are_summarised_with_their_errors() -> None:
    errors = [None, *(number / 100 for number in range(101))]
    rows = [
        finished(number, error, None if number % 2 else 0.25)
        for number, error in enumerate(errors)
    ]
    info = summarize_scores(SETTINGS, rows)
    assert (info.completeness_median, info.completeness_p95) == pytest.approx(
        (0.5, 0.95)
    )
    assert (info.rank_correlation, info.num_compared, info.compared_steps) == (
        0.25,
        51,
        8,
    )
    nothing = summarize_scores(SETTINGS, [finished(0, None, None)])
    assert (
        nothing.completeness_median,
        nothing.rank_correlation,
        nothing.num_compared,
    ) == (None, None, 0)


def test_scores_info_without_errors_is_read() -> None:
    old = {
        "format_version": 1,
        "student": "s",
        "method": "m",
        "steps": 1,
        "baseline": "b",
    }
    assert ScoresInfo.parse(old, "test").completeness_median is None


def test_long_rows_are_left_out_and_finished_ones_are_not_run_again(
    tmp_path: Path,
) -> None:
    student = tiny_student("gpt2")
    asked = [
        AttributedRow(row_of(text), QUESTION, text)
        for text in (RATIONALE, "Wood floats.", RATIONALE * 30)
    ]
    asked = [
        AttributedRow(one.row.model_copy(update={"sample_index": i}), *one[1:])
        for i, one in enumerate(asked)
    ]
    jobs = make_jobs(student, SETTINGS, asked, 128)
    assert [job.item.row.sample_index for job in jobs] == [0, 1]
    told: list[tuple[int, int]] = []
    with AttributionLog(tmp_path / "log.jsonl") as log:
        found = attribute_rationales(
            student, jobs, log, 256, lambda *counts: told.append(counts)
        )
        assert told[-1] == (sum(job.tokens for job in jobs),) * 2
        again = attribute_rationales(
            student, jobs, log, 256, lambda *counts: told.append(counts)
        )
    assert again == found
    assert len(told) == 2
    assert all(
        row.rank_correlation is not None and -1 <= row.rank_correlation <= 1
        for row in found
    )
