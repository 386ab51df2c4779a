"""What a student reads and is trained to say: exact prompts and completions of every
placement, the layout of every shipped variant, and what holds for all of them.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.variants.registry import builtin_variants
from cotbuild.prompts.student import (
    StudentPrompt,
    choose_label,
    compose_completion,
    compose_option,
    is_unambiguous,
    label_spans,
    layout_of,
    question_digest,
)
from cotbuild.prompts.student_rows import evaluation_row, training_rows
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.training import Layout
from cotbuild.schemas.variant import (
    Placement,
    VariantSpec,
)
from cotbuild.schemas.variant_rows import (
    VariantRow,
)
from tests.schemas.test_records import question


def spec(placement: str, **more: object) -> VariantSpec:
    return VariantSpec.parse(
        {"name": "v", "about": "a", "placement": placement, **more}, "t"
    )


QUESTION = question(
    text="Which floats?",
    choices=[{"label": "A", "text": "a stone"}, {"label": "B", "text": "a cork"}],
)
ANSWER = "A"
RATIONALE = "Cork is light."
PROMPT = "Question: Which floats?\nOptions:\n- a stone\n- a cork\n"


def rows(chosen: VariantSpec, rationale: str = RATIONALE) -> list[VariantRow]:
    label = choose_label(chosen, QUESTION, ANSWER)
    assert label is not None
    return training_rows(chosen, StudentPrompt(QUESTION), 0, label, rationale)


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
        (PROMPT + cue, completion) for cue, completion in expected
    ]


def test_two_tasks_are_two_rows_with_a_prefix_each() -> None:
    predict, explain = rows(spec("two_tasks"))
    assert (predict.task, predict.prompt, predict.completion) == (
        "predict",
        f"[predict] {PROMPT}Answer:",
        " a cork",
    )
    assert (explain.task, explain.prompt, explain.completion) == (
        "explain",
        f"[explain] {PROMPT}Reasoning:",
        " Cork is light.",
    )


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
    assert row.choices == {
        "text": ("a stone", "a cork"),
        "letter": ("A", "B"),
        "both": ("(A) a stone", "(B) a cork"),
    }.get(form)


def test_options_can_be_left_out_and_the_label_can_be_the_teachers_answer() -> None:
    [row] = rows(spec("label_only", options=False, label_source="answer"))
    assert (row.prompt, row.completion) == (
        "Question: Which floats?\nAnswer:",
        " a stone",
    )


def test_a_label_in_prose_is_without_the_white_space_around_it() -> None:
    prose = Question.create("Say it.", kind=QuestionKind.PROSE, target="\nIt is.\nSo. ")
    assert choose_label(spec("label_only"), prose, None) == "It is.\nSo."
    row = evaluation_row(spec("pre_cot"), prose)
    assert row is not None
    assert row.completion == " It is.\nSo."


@pytest.mark.parametrize(
    ("placement", "label", "rationale", "expected"),
    [
        ("label_only", "a\nReasoning: b\nAnswer: c", "", True),
        ("post_cot", "a\nAnswer: b because", "c\nAnswer: d\nReasoning: e", True),
        ("post_cot", "a\nReasoning: b", "c", False),
        ("post_cot", "a. Reasoning: b", "c", True),
        ("pre_cot", "a\nAnswer: b", "c", True),
        ("pre_cot", "a", "b\nAnswer: c", False),
        ("explanation", "I stay because it rains", "of rain", False),
        ("explanation", "I stay", "it rains because", True),
        ("both_sides", "a\nReasoning: b", "c", False),
        ("both_sides", "a", "b\nAnswer: c", True),
        ("rationale_only", "a\nReasoning: b", "\nAnswer: c", True),
        ("two_tasks", "a\nReasoning: b", "\nAnswer: c", True),
    ],
)
def test_where_a_completion_can_be_cut(
    placement: str, label: str, rationale: str, expected: bool
) -> None:
    layout = layout_of(spec(placement))
    assert is_unambiguous(layout, label, rationale) == expected
    completion = compose_completion(layout, label, rationale).text
    if expected and layout.label_first and layout.text_after_label:
        end = completion.find(layout.text_after_label.rstrip())
        assert completion[:end].strip() == label


def test_there_is_no_label_without_an_answer_of_the_teacher() -> None:
    chosen = spec("label_only", label_source="answer", label_form="letter")
    assert choose_label(chosen, QUESTION, None) is None


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
def test_separators_stay_if_the_rationale_is_empty(
    placement: str, completion: str
) -> None:
    [row] = rows(spec(placement), "")
    assert (row.completion, row.rationale_start) == (completion, None)


TEXT = st.text(min_size=1).filter(lambda text: text == text.strip() and text)
COMPOSED = [p for p in Placement if p is not Placement.MIX]
ONE_ROW = [p for p in COMPOSED if p is not Placement.TWO_TASKS]
WITHOUT_RATIONALE = (Placement.LABEL_ONLY, Placement.GIVEN_RATIONALE)


@given(st.sampled_from(ONE_ROW), TEXT, TEXT)
def test_spans_hold_label_and_rationale(
    placement: Placement, label: str, rationale: str
) -> None:
    layout = layout_of(spec(placement.value))
    completion = compose_completion(layout, label, rationale)
    if completion.label:
        assert completion.text[slice(*completion.label)] == label
    if completion.rationale:
        assert completion.text[slice(*completion.rationale)] == rationale
    assert completion.text[0] in " \n"
    assert completion.text == completion.text.rstrip(" ")
    assert (completion.label is None) == (placement is Placement.RATIONALE_ONLY)
    assert (completion.rationale is None) == (placement in WITHOUT_RATIONALE)


@pytest.mark.parametrize("placement", COMPOSED)
def test_an_evaluation_row_has_the_prompt_of_training_and_no_rationale(
    placement: Placement,
) -> None:
    chosen = spec(placement.value)
    given = RATIONALE if placement is Placement.GIVEN_RATIONALE else None
    row = evaluation_row(chosen, QUESTION, given)
    if placement is Placement.RATIONALE_ONLY:
        assert row is None
        return
    assert row is not None
    assert row.prompt == rows(chosen)[0].prompt
    assert (row.completion, row.rationale_start, row.target) == (" a cork", None, "B")


def test_an_evaluation_row_without_a_target_has_no_completion() -> None:
    row = evaluation_row(spec("post_cot"), question(target=None))
    assert row is not None
    assert (row.completion, row.label_start) == ("", None)


# --- layouts ---


LABEL = Layout(order=("label",), opening=" ", joints=())
POST = Layout(order=("label", "rationale"), opening=" ", joints=("\nReasoning: ",))
LAYOUTS = {
    "label_only": LABEL,
    "label_only_all": LABEL,
    "label_only_letter": LABEL,
    "label_only_no_options": LABEL,
    "two_tasks": LABEL,
    "pre_cot": Layout(
        order=("rationale", "label"), opening=" ", joints=("\nAnswer: ",)
    ),
    "pre_cot_shuffled_words": Layout(
        order=("rationale", "label"), opening=" ", joints=("\nAnswer: ",)
    ),
    "rationale_only": Layout(order=("rationale",), opening=" ", joints=()),
    "given_rationale": LABEL,
    "chat_label_only": Layout(order=("label",), opening="", joints=()),
    "chat_pre_cot": Layout(
        order=("rationale", "label"), opening="", joints=("\nAnswer: ",)
    ),
    "chat_post_cot": Layout(
        order=("label", "rationale"), opening="", joints=("\nReasoning: ",)
    ),
    "explanation": Layout(
        order=("label", "rationale"), opening=" ", joints=(" because ",)
    ),
    "both_sides": Layout(
        order=("label", "rationale", "label"),
        opening=" ",
        joints=("\nReasoning: ", "\nAnswer: "),
    ),
}
"""As training runs and study cells have recorded them since their first version: a
layout that changes makes their fingerprints change.
"""


@pytest.mark.parametrize("name", builtin_variants())
def test_the_layout_of_every_shipped_variant(name: str) -> None:
    expected = LAYOUTS.get(name)
    if expected is None:
        assert name.startswith("post_cot")
        expected = POST
    assert layout_of(builtin_variants()[name]) == expected


@pytest.mark.parametrize(
    ("placement", "expected"),
    [
        ("label_only", [["a cork"]]),
        ("pre_cot", [["a cork"]]),
        ("post_cot", [["a cork"]]),
        ("explanation", [["a cork"]]),
        ("rationale_only", [[]]),
        ("two_tasks", [["a cork"], []]),
        ("both_sides", [["a cork", "a cork"]]),
    ],
)
@pytest.mark.parametrize("rationale", [RATIONALE, "a cork", ""])
def test_every_label_of_a_completion_has_a_span(
    placement: str, expected: list[list[str]], rationale: str
) -> None:
    chosen = spec(placement)
    layout = layout_of(chosen)
    spans = [
        (row.completion, label_spans(row, layout)) for row in rows(chosen, rationale)
    ]
    assert [
        [completion[start:end] for start, end in places] for completion, places in spans
    ] == expected
    assert all(places == sorted(set(places)) for _, places in spans)


@pytest.mark.parametrize(
    ("placement", "expected"),
    [
        ("label_only", " a stone"),
        ("pre_cot", " Cork is light.\nAnswer: a stone"),
        ("post_cot", " a stone\nReasoning: "),
        ("explanation", " a stone because "),
        ("both_sides", " a stone\nReasoning: "),
        ("two_tasks", " a stone"),
    ],
)
def test_an_option_takes_the_place_of_the_label(placement: str, expected: str) -> None:
    text, (start, end) = compose_option(
        layout_of(spec(placement)), "a stone", RATIONALE
    )
    assert text == expected
    assert text[start:end] == "a stone"


# --- questions ---


def test_question_digests_are_those_of_runs_on_record() -> None:
    assert (
        question_digest("Which of these 2 things floats? ½ 東京 🙂")
        == "fbd4411411f42f72"
    )
    assert (
        question_digest(" which of  these 2\nTHINGS floats? 1⁄2 東京 🙂")
        == "fbd4411411f42f72"
    )
    assert (
        question_digest("Which of these 3 things floats? ½ 東京 🙂")
        != "fbd4411411f42f72"
    )
