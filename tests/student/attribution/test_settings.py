"""Which runs can be attributed, and what decides a score."""

import pytest

from cotbuild.schemas.attribution import AttributionMethod, ConvergenceBounds
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.training import Layout
from cotbuild.schemas.variant import VariantSpec
from cotbuild.student.attribution.contrast import make_case
from cotbuild.student.attribution.settings import (
    AttributedRow,
    AttributionSettings,
    IntegrationSettings,
    check_attributable,
    choose_fitting,
    make_settings,
)
from tests.student.attribution.test_gradients import LAYOUT, QUESTION, RATIONALE, row_of
from tests.support.runs import run_of
from tests.support.tiny import shared_student, tiny_student

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


BOUNDS = ConvergenceBounds(
    max_steps=64, max_completeness_error=0.05, min_rank_correlation=0.9
)
INTEGRATION = IntegrationSettings(steps=2, bounds=BOUNDS)
SETTINGS = AttributionSettings(
    method=AttributionMethod.INTEGRATED_GRADIENTS,
    student="s",
    rows="r",
    layout=LAYOUT,
    integration=INTEGRATION,
    baseline="b",
)


def test_each_setting_has_its_own_log() -> None:
    looser = BOUNDS.model_copy(update={"max_completeness_error": 0.1})
    changes: list[dict[str, object]] = [
        {"student": "t"},
        {"rows": "t"},
        {"baseline": "t"},
        {"integration": INTEGRATION.model_copy(update={"steps": 4})},
        {"integration": INTEGRATION.model_copy(update={"bounds": looser})},
        {"integration": None, "method": AttributionMethod.LEAVE_ONE_WORD_OUT},
    ]
    keys = {SETTINGS.model_copy(update=change).key for change in changes}
    assert len({SETTINGS.key, *keys}) == 7


def test_words_need_neither_steps_nor_a_baseline() -> None:
    student = shared_student("llama")
    run = run_of("pre_cot", LAYOUT)
    words = make_settings(run, student, None)
    assert (words.method, words.baseline) == (
        AttributionMethod.LEAVE_ONE_WORD_OUT,
        None,
    )
    tokens = make_settings(run, student, INTEGRATION)
    assert (tokens.method, tokens.baseline) == (
        AttributionMethod.INTEGRATED_GRADIENTS,
        "embedding of <pad>",
    )


def test_steps_that_cannot_double_once_are_refused() -> None:
    with pytest.raises(ConfigError, match="steps 33 and max_steps 64: "):
        make_settings(
            run_of("pre_cot", LAYOUT),
            shared_student("gpt2"),
            IntegrationSettings(steps=33, bounds=BOUNDS),
        )


def test_rows_that_are_too_long_are_left_out() -> None:
    student = shared_student("gpt2")
    rows = [
        AttributedRow(row_of(text), QUESTION, text)
        for text in (RATIONALE, "Wood floats.", RATIONALE * 30)
    ]
    assert choose_fitting(student, LAYOUT, rows, 128) == rows[:2]


def test_rows_longer_than_the_context_are_left_out() -> None:
    student = tiny_student("gpt2")
    row = AttributedRow(row_of(RATIONALE), QUESTION, RATIONALE)
    case = make_case(student.tokenizer, LAYOUT, row.row, QUESTION.kind)
    for context, kept in ((case.num_tokens, [row]), (case.num_tokens - 1, [])):
        student.model.config.n_positions = context
        assert choose_fitting(student, LAYOUT, [row], 10_000) == kept
