"""Where label and rationale stand: exact prompts and completions of every placement,
and what holds for all of them.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.place import (
    StudentPrompt,
    completion_of,
    evaluation_row,
    label_for,
    training_rows,
)
from cotbuild.schemas.question import Choice, QuestionKind
from cotbuild.schemas.variant import (
    LabelForm,
    LabelSource,
    Placement,
    TrainingRow,
    VariantSpec,
)
from tests.schemas.test_records import question


def spec(placement: str, **more: object) -> VariantSpec:
    return VariantSpec.parse(
        {"name": "v", "about": "a", "placement": placement, **more}, "t"
    )


SUBJECT = RationaleExample(
    question_id="q1",
    sample_index=0,
    kind=QuestionKind.CHOICE,
    question="Which floats?",
    choices=(Choice(label="A", text="a stone"), Choice(label="B", text="a cork")),
    target="B",
    label="a cork",
    rationale="Cork is light.",
    answer="A",
)
ASKED = "Question: Which floats?\nOptions:\n- a stone\n- a cork\n"


def rows(chosen: VariantSpec, rationale: str = SUBJECT.rationale) -> list[TrainingRow]:
    label = label_for(chosen, SUBJECT)
    assert label is not None
    return training_rows(
        chosen,
        SUBJECT,
        StudentPrompt(SUBJECT.question, SUBJECT.choices),
        label,
        rationale,
    )


@pytest.mark.parametrize(
    ("placement", "expected"),
    [
        ("label_only", [("Answer:", " a cork")]),
        ("pre_cot", [("Reasoning:", " Cork is light.\nAnswer: a cork")]),
        ("post_cot", [("Answer:", " a cork\nReasoning: Cork is light.")]),
        ("explanation", [("Answer:", " a cork because Cork is light.")]),
        ("rationale_only", [("Reasoning:", " Cork is light.")]),
        (
            "both_sides",
            [("Answer:", " a cork\nReasoning: Cork is light.\nAnswer: a cork")],
        ),
    ],
)
def test_each_placement(placement: str, expected: list[tuple[str, str]]) -> None:
    assert [(row.prompt, row.completion) for row in rows(spec(placement))] == [
        (ASKED + e, c) for e, c in expected
    ]


def test_two_tasks_are_two_rows_told_apart_by_a_prefix() -> None:
    predict, explain = rows(spec("two_tasks"))
    assert (predict.task, predict.prompt, predict.completion) == (
        "predict",
        f"[predict] {ASKED}Answer:",
        " a cork",
    )
    assert (explain.task, explain.prompt, explain.completion) == (
        "explain", f"[explain] {ASKED}Reasoning:", " Cork is light.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("form", "label", "options"),
    [
        ("text", "a cork", "- a stone\n- a cork"),
        ("letter", "B", "(A) a stone\n(B) a cork"),
        ("both", "(B) a cork", "(A) a stone\n(B) a cork"),
    ],
)
def test_label_forms(form: str, label: str, options: str) -> None:
    [row] = rows(spec("label_only", label_form=form))
    assert row.completion == f" {label}"
    assert options in row.prompt
    assert row.choices == tuple(
        {"text": ("a stone", "a cork"), "letter": ("A", "B")}.get(
            form, ("(A) a stone", label)
        )
    )


def test_options_may_go_unlisted_and_the_label_may_be_the_teachers_answer() -> None:
    [row] = rows(spec("label_only", options=False, label_source="answer"))
    assert (row.prompt, row.completion) == (
        "Question: Which floats?\nAnswer:",
        " a stone",
    )


@pytest.mark.parametrize(
    ("placement", "completion"),
    [
        ("pre_cot", "\nAnswer: a cork"),
        ("post_cot", " a cork\nReasoning:"),
        ("explanation", " a cork because"),
        ("rationale_only", ""),
        ("both_sides", " a cork\nReasoning:\nAnswer: a cork"),
    ],
)
def test_where_nothing_is_left_of_the_rationale_the_separators_stand(
    placement: str, completion: str
) -> None:
    [row] = rows(spec(placement), "")
    assert (row.completion, row.rationale_start) == (completion, None)


TEXT = st.text(min_size=1).filter(lambda text: text == text.strip() and text)


@given(
    st.sampled_from([p for p in Placement if p is not Placement.TWO_TASKS]), TEXT, TEXT
)
def test_spans_name_label_and_rationale_and_white_space_stands_where_it_should(
    placement: Placement, label: str, rationale: str
) -> None:
    said = completion_of(placement, label, rationale)
    if said.label:
        assert said.text[slice(*said.label)] == label
    if said.rationale:
        assert said.text[slice(*said.rationale)] == rationale
    assert said.text[0] in " \n"
    assert said.text == said.text.rstrip(" ")
    assert (said.label is None) == (placement is Placement.RATIONALE_ONLY)
    assert (said.rationale is None) == (placement is Placement.LABEL_ONLY)


@pytest.mark.parametrize("placement", list(Placement))
def test_an_evaluation_row_has_the_prompt_of_training_and_never_a_rationale(
    placement: Placement,
) -> None:
    chosen = spec(placement.value)
    asked = question(
        text="Which floats?",
        choices=[{"label": "A", "text": "a stone"}, {"label": "B", "text": "a cork"}],
    )
    row = evaluation_row(chosen, asked)
    if placement is Placement.RATIONALE_ONLY:
        assert row is None
        return
    assert row is not None
    assert row.prompt == rows(chosen)[0].prompt
    assert (row.completion, row.rationale_start, row.target) == (" a cork", None, "B")


def test_an_evaluation_question_without_a_published_target_has_no_completion() -> None:
    row = evaluation_row(spec("post_cot"), question(target=None))
    assert row is not None
    assert (row.completion, row.label_start) == ("", None)


def test_a_row_without_a_label_of_the_wanted_source_cannot_be_made() -> None:
    unanswered = RationaleExample(**{**SUBJECT.__dict__, "answer": None})
    chosen = spec(
        "label_only",
        label_source=LabelSource.ANSWER.value,
        label_form=LabelForm.LETTER.value,
    )
    assert label_for(chosen, unanswered) is None
