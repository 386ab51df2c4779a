"""Prompts of students in a form of the variant's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.prompts.student import StudentPrompt, choose_label
from cotbuild.prompts.student_form import fill_prompt_form
from cotbuild.prompts.student_rows import evaluation_row, training_rows
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import ImageRef, Input, Question
from cotbuild.schemas.variant import VariantSpec

ALMA = (
    "Translate this from $source_lang into $target_lang:\n"
    "$source_lang: $question\n$target_lang:"
)
PICTURE = ImageRef(sha256="0" * 64, media_type="image/png", width=1, height=1)


def translation(text: str = "Guten Tag.", *inputs: Input) -> Question:
    languages = [
        Input(name="source_lang", text="German"),
        Input(name="target_lang", text=" English\n"),
    ]
    return Question.create(text, target="Good day.", inputs=[*languages, *inputs])


def spec(placement: str = "label_only", **fields: object) -> VariantSpec:
    values = {"name": "v", "about": "a", "placement": placement, **fields}
    return VariantSpec.parse(values, "t", ConfigError)


def prompts(chosen: VariantSpec, question: Question) -> list[str]:
    label = choose_label(chosen, question, None) or ""
    rows = training_rows(chosen, StudentPrompt(question), 0, label, "A greeting.")
    return [str(row.prompt) for row in rows]


@pytest.mark.parametrize(
    ("placement", "cue", "last"),
    [
        ("label_only", "", "English:"),
        ("post_cot", "", "English:"),
        ("post_cot", None, "English:\nAnswer:"),
        ("pre_cot", None, "English:\nReasoning:"),
        ("pre_cot", "Notes:", "English:\nNotes:"),
    ],
)
def test_a_form_replaces_the_lines_before_the_cue(
    placement: str, cue: str | None, last: str
) -> None:
    chosen = spec(placement, prompt=ALMA, cue=cue)
    expected = f"Translate this from German into English:\nGerman: Guten Tag.\n{last}"
    assert prompts(chosen, translation()) == [expected]
    row = evaluation_row(chosen, translation())
    assert row is not None
    assert (row.prompt, row.completion) == (expected, " Good day.")


def test_the_two_tasks_keep_their_prefixes() -> None:
    found = prompts(spec("two_tasks", prompt="$question"), translation())
    assert found == [
        "[predict] Guten Tag.\nAnswer:",
        "[explain] Guten Tag.\nReasoning:",
    ]


def test_options_are_lines_where_the_form_shows_them() -> None:
    choice = Question.create("Which floats?", choices=["a stone", "a cork"], target="B")
    chosen = spec(prompt="Q: $question\n$options\nYour $$5 answer")
    assert prompts(chosen, choice) == [
        "Q: Which floats?\n- a stone\n- a cork\nYour $5 answer\nAnswer:"
    ]
    lettered = spec(prompt="Q: $question ($options)", label_form="letter")
    assert prompts(lettered, choice) == [
        "Q: Which floats? ((A) a stone\n(B) a cork)\nAnswer:"
    ]
    assert prompts(chosen, translation()) == ["Q: Guten Tag.\nYour $5 answer\nAnswer:"]


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"prompt": "costs $5"}, "lone \\$"),
        ({"prompt": "$question $target"}, "uses \\$target, which no question has"),
        ({"prompt": "$question $Lang"}, "uses \\$Lang, which no question has"),
        ({"prompt": "Answer:"}, "shows nothing of a question"),
        ({"prompt": "$options"}, "shows nothing of a question"),
        ({"prompt": "$question $options", "options": False}, "options is false"),
        ({"prompt": "x" * 20_001}, "prompt"),
        ({"prompt": "$question" * 65}, "65 variables, more than 64"),
        ({"cue": ""}, "cue is given without a prompt"),
        ({"prompt": "$question", "cue": "a\nb"}, "several lines"),
        ({"prompt": "$question", "cue": "a "}, "white space"),
    ],
)
def test_a_form_at_fault_is_refused(fields: dict[str, object], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        spec(**fields)  # type: ignore[arg-type]


def test_an_input_that_a_question_lacks_is_named() -> None:
    with pytest.raises(DataError, match=r"no input 'hint'.*--map hint=COLUMN"):
        prompts(spec(prompt="$question $hint"), translation())
    picture = translation("Was ist das?", Input(name="image", image=PICTURE))
    with pytest.raises(DataError, match="input 'image' is a picture"):
        prompts(spec(prompt="$question $image"), picture)


@given(st.text(min_size=1, max_size=60).filter(str.strip))
def test_values_are_substituted_once(text: str) -> None:
    question = Question.create(text, inputs=[Input(name="hint", text="$question $x")])
    filled = fill_prompt_form("$hint|$question|", question, [])
    assert filled == f"$question $x|{text.strip()}|"


def test_a_form_is_part_of_the_fingerprint_where_there_is_one() -> None:
    plain = spec().fingerprint
    assert spec(prompt=None, cue=None).fingerprint == plain
    assert "prompt" not in spec().model_dump()
    found = {plain, spec(prompt="$question").fingerprint}
    found.add(spec(prompt="$question", cue="").fingerprint)
    assert len(found) == 3
