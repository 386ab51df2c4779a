"""Rows with several turns, with a rationale in the prompt, of messages."""

import pytest

from cotbuild.prompts.student import StudentPrompt
from cotbuild.prompts.student_rows import (
    CHECK_REQUEST,
    evaluation_row,
    rationale_row,
    read_rationale,
    training_rows,
)
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.question import ImageRef, Input, Question
from cotbuild.schemas.variant import (
    VariantSpec,
)
from cotbuild.schemas.variant_rows import (
    MessagesRow,
    VariantRow,
)

QUESTION = Question.create("Which floats?", choices=["a stone", "a cork"], target="B")
ATTEMPTED = Question.create(
    "Which floats?",
    choices=["a stone", "a cork"],
    target="B",
    inputs=[
        Input(name="hint", text="Mind the weight."),
        Input(name="attempt", text="Stones float."),
    ],
)
ASKED = "Question: Which floats?\nOptions:\n- a stone\n- a cork\n"
HINTED = f"Hint: Mind the weight.\n{ASKED}"
Shown = list[tuple[str, str]]


def spec(placement: str, **more: object) -> VariantSpec:
    values = {"name": "v", "about": "a", "placement": placement, **more}
    return VariantSpec.parse(values, "t", ConfigError)


def chat(placement: str, **more: object) -> VariantSpec:
    return spec(placement, format="messages", **more)


def rows(chosen: VariantSpec, question: Question = QUESTION) -> list[VariantRow]:
    return training_rows(chosen, StudentPrompt(question), 0, "a cork", "Cork is light.")


def turns(row: VariantRow) -> Shown:
    """Every turn of a row of messages, the completion last."""
    assert isinstance(row, MessagesRow)
    return [(turn.role[0], turn.content) for turn in (*row.prompt, *row.completion)]


def test_a_rationale_in_the_prompt_is_the_text_of_pre_cot_up_to_the_label() -> None:
    [given], [pre_cot] = rows(spec("given_rationale")), rows(spec("pre_cot"))
    assert given.prompt == f"{ASKED}Reasoning: Cork is light.\nAnswer:"
    assert (given.completion, given.label_start, given.rationale_start) == (
        " a cork",
        1,
        None,
    )
    assert (
        f"{given.prompt}{given.completion}" == f"{pre_cot.prompt}{pre_cot.completion}"
    )


@pytest.mark.parametrize(
    ("placement", "expected"),
    [
        ("label_only", [("u", f"{ASKED}Answer:"), ("a", "a cork")]),
        (
            "pre_cot",
            [("u", f"{ASKED}Reasoning:"), ("a", "Cork is light.\nAnswer: a cork")],
        ),
        (
            "both_sides",
            [
                ("u", f"{ASKED}Answer:"),
                ("a", "a cork\nReasoning: Cork is light.\nAnswer: a cork"),
            ],
        ),
        (
            "given_rationale",
            [
                ("u", f"{ASKED}Reasoning:"),
                ("a", "Cork is light."),
                ("u", "Answer:"),
                ("a", "a cork"),
            ],
        ),
    ],
)
def test_messages_hold_the_texts_of_a_row_of_text(
    placement: str, expected: Shown
) -> None:
    [row] = rows(chat(placement))
    assert turns(row) == expected
    start, end = row.label_start or 0, row.label_end
    assert row.completion_text[start:end] == "a cork"
    evaluated = evaluation_row(chat(placement), QUESTION, "Cork is light.")
    assert evaluated is not None
    assert turns(evaluated) == [*expected[:-1], ("a", "a cork")]


def test_messages_begin_without_white_space_if_nothing_is_left_of_the_rationale() -> (
    None
):
    prompt = StudentPrompt(QUESTION)
    [row] = training_rows(chat("pre_cot"), prompt, 0, "a cork", "")
    assert row.completion_text == "Answer: a cork"
    assert row.completion_text[row.label_start : row.label_end] == "a cork"


@pytest.mark.parametrize(
    ("placement", "expected"),
    [
        (
            "post_cot",
            [
                [("u", f"{HINTED}Reasoning:"), ("a", "Stones float.")],
                [
                    ("u", f"{HINTED}Reasoning:"),
                    ("a", "Stones float."),
                    ("u", f"{CHECK_REQUEST}\nAnswer:"),
                    ("a", "a cork\nReasoning: Cork is light."),
                ],
            ],
        ),
        (
            "given_rationale",
            [
                [("u", f"{HINTED}Reasoning:"), ("a", "Stones float.")],
                [
                    ("u", f"{HINTED}Reasoning:"),
                    ("a", "Stones float."),
                    ("u", f"{CHECK_REQUEST}\nReasoning:"),
                    ("a", "Cork is light."),
                ],
                [
                    ("u", f"{HINTED}Reasoning:"),
                    ("a", "Stones float."),
                    ("u", f"{CHECK_REQUEST}\nReasoning:"),
                    ("a", "Cork is light."),
                    ("u", "Answer:"),
                    ("a", "a cork"),
                ],
            ],
        ),
    ],
)
def test_each_turn_of_the_assistant_is_a_row_if_all_are_trained_on(
    placement: str, expected: list[Shown]
) -> None:
    made = rows(chat(placement, train_on="all"), ATTEMPTED)
    assert [turns(row) for row in made] == expected
    assert [turns(row) for row in rows(chat(placement), ATTEMPTED)] == expected[-1:]
    keys = {(row.question_id, row.sample_index, row.task) for row in made}
    assert len(keys) == len(made)
    for row in made:
        text = row.completion_text
        if row.rationale_start is not None:
            assert text[row.rationale_start : row.rationale_end] == "Cork is light."
        assert (row.label_start is None) == (row is not made[-1])


def test_rows_of_text_show_an_attempt_among_the_inputs() -> None:
    [row] = rows(spec("label_only"), ATTEMPTED)
    assert row.prompt == (
        f"Hint: Mind the weight.\nAttempt: Stones float.\n{ASKED}Answer:"
    )


def test_an_evaluation_without_a_rationale_has_no_row_of_a_variant_that_gives_one() -> (
    None
):
    assert evaluation_row(spec("given_rationale"), QUESTION) is None
    row = evaluation_row(spec("given_rationale"), QUESTION, "")
    assert row is not None
    assert row.prompt == f"{ASKED}Reasoning:\nAnswer:"


def test_the_row_of_a_rationale_to_write_is_that_of_training_without_completion() -> (
    None
):
    for chosen in (spec("rationale_only"), chat("rationale_only")):
        row = rationale_row(chosen, QUESTION)
        assert row.prompt == rows(chosen)[0].prompt
        assert row.completion_text == ""


@pytest.mark.parametrize("placement", ["pre_cot", "post_cot", "given_rationale"])
@pytest.mark.parametrize("form", ["text", "messages"])
def test_the_rationale_of_a_row_is_read_from_where_it_is(
    placement: str, form: str
) -> None:
    chosen = spec(placement, format=form)
    [row] = rows(chosen)
    assert read_rationale(chosen, QUESTION, row) == "Cork is light."


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"placement": "pre_cot", "train_on": "all"}, "train_on is all"),
        ({"placement": "mix"}, "placement mix and the parts"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    fields: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        VariantSpec.parse({"name": "v", "about": "a", **fields}, "t", ConfigError)


def test_rows_of_messages_name_the_pictures_and_rows_of_text_do_not() -> None:
    picture = ImageRef(sha256="0" * 64, media_type="image/png", width=2, height=1)
    question = Question.create(
        "What is shown?", target="ice", inputs=[Input(name="image", image=picture)]
    )
    [row] = training_rows(
        chat("label_only"), StudentPrompt(question), 0, "ice", "It melts."
    )
    evaluated = evaluation_row(chat("label_only"), question)
    for one in (row, evaluated):
        assert isinstance(one, MessagesRow)
        assert one.images == (picture,)
        assert MessagesRow.parse(one.model_dump(mode="json"), "test") == one
    [text] = training_rows(
        spec("label_only"), StudentPrompt(question), 0, "ice", "It melts."
    )
    assert "pictures" not in text.model_dump()
