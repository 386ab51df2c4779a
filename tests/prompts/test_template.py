"""Templates: every shipped one renders; a template with a fault says which."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.prompts.defaults import (
    DEFAULTS,
    load_templates,
)
from cotbuild.prompts.template import (
    Template,
    builtin_templates,
    load_template,
    parse_template,
    render_messages,
)
from cotbuild.schemas.completion import ImagePart, TextPart
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import (
    Choice,
    ImageRef,
    Input,
    Question,
    QuestionKind,
    SourceRef,
)
from cotbuild.schemas.rationale import Purpose

MINIMAL = """
name: mine
version: 1
kind: choice
about: a test
answer: last
user: "$question\\n$choices"
"""


TARGETS = {
    QuestionKind.CHOICE: "A",
    QuestionKind.YES_NO: "no",
    QuestionKind.NUMBER: "7",
    QuestionKind.TEXT: "so",
    QuestionKind.PROSE: "So it is.",
}
IMAGE = ImageRef(sha256="ab" * 32, media_type="image/png", width=4, height=3)


def ask(
    kind: QuestionKind,
    text: str = "Why?",
    options: tuple[str, ...] = ("this", "that"),
    inputs: tuple[Input, ...] = (),
) -> Question:
    return Question(
        id="q",
        kind=kind,
        text=text,
        choices=tuple(Choice(label="AB"[i], text=o) for i, o in enumerate(options))
        if kind == "choice"
        else (),
        target=TARGETS[kind],
        other_targets=(),
        source=SourceRef(
            dataset="d", config_name=None, split="train", revision=None, row=0
        ),
        inputs=inputs,
    )


@pytest.mark.parametrize("ref", builtin_templates())
def test_a_shipped_template_renders_and_is_in_the_file_of_its_name(ref: str) -> None:
    template = builtin_templates()[ref]
    names = [*template.needed_inputs, *(["attempt"] if template.follow_up else [])]
    inputs = tuple(Input(name=name, text="x") for name in names)
    messages = render_messages(template, ask(template.kind, inputs=inputs))
    user = next(message for message in reversed(messages) if "Why?" in message.text)
    assert user.role == "user"
    assert "Why?" in user.text
    assert not any("$" in message.text for message in messages)
    assert all(message.content == message.text.strip() for message in messages)


FINGERPRINTS = {
    "choice_few_shot@1": "f840d9e5224dd1f4",
    "choice_label_first@1": "89d15b7f04278127",
    "choice_zero_shot@1": "aca59fbb23e5d5d0",
    "choice_rationalize@1": "39bd82a39e3e5c15",
    "number_rationalize@1": "20d26149ded61de7",
    "text_rationalize@1": "4afc21bcbcef8c0b",
    "yes_no_rationalize@1": "77121028a51e0dc3",
    "number_few_shot@1": "dc5aba2357b6978e",
    "number_zero_shot@1": "29963762c51ab023",
    "text_few_shot@1": "d6ff89a929b42309",
    "text_zero_shot@1": "1022f3231e0b09b4",
    "yes_no_few_shot@1": "d9319726f15e85ab",
    "yes_no_zero_shot@1": "a6991bfe25a9286e",
    "choice_reflect@1": "5b7140da0a51b411",
    "number_reflect@1": "883c332b7af3cd1f",
    "prose_reflect@1": "517da632f4d9f3d6",
    "text_reflect@1": "191f3221ea2fa528",
    "yes_no_reflect@1": "77e989a6566bdb27",
    "choice_inputs@1": "3c8374eb3cc057ad",
    "choice_inputs_rationalize@1": "a33ea1dfc583517e",
    "number_inputs@1": "76b61d8b27ae741b",
    "number_inputs_rationalize@1": "3e029aa90e0746bb",
    "prose_rationalize@1": "b672889fda32ae4f",
    "prose_zero_shot@1": "ad7fe4d611fe078f",
    "text_inputs@1": "4aec017f3b039374",
    "text_inputs_rationalize@1": "ab2715446bafdcd0",
    "translation_rationalize@1": "7129858efcbdfc39",
    "translation_zero_shot@1": "25047bb0401b994c",
    "yes_no_inputs@1": "2851954a9ec44ce0",
    "yes_no_inputs_rationalize@1": "1b554262b3637a64",
}


def test_no_shipped_template_changed_under_its_version() -> None:
    """A changed template is a new version: builds made with the old one must stay what
    they were.
    """
    assert {
        ref: template.fingerprint[:16] for ref, template in builtin_templates().items()
    } == FINGERPRINTS


def test_every_kind_has_zero_shot_few_shot_and_a_default() -> None:
    for kind in QuestionKind:
        assert f"{kind.value}_zero_shot@1" in builtin_templates()
        assert load_template(DEFAULTS[kind]).kind is kind


def test_the_label_first_form_shows_two_exemplars_that_begin_with_the_answer() -> None:
    messages = render_messages(
        load_template("choice_label_first@1"), ask(QuestionKind.CHOICE)
    )
    replies = [message.text for message in messages if message.role == "assistant"]
    assert len(replies) == 2
    assert all(
        reply.startswith(f"Answer: The answer is {letter} because ")
        for reply, letter in zip(replies, "AC", strict=True)
    )


@given(st.text(), st.text())
def test_values_are_put_in_once_and_never_read_as_templates(
    text: str, option: str
) -> None:
    template = parse_template(MINIMAL, "t")
    shown = template.render_user_turn(
        text, [Choice.model_construct(label="A", text=option)]
    )
    assert shown == f"{text}\n(A) {option}"


def test_a_system_prompt_of_the_users_replaces_the_templates_and_changes_the_fingerprint() -> (
    None
):
    before = load_template("choice_few_shot@1")
    assert before.opening  # cached before the copy is made
    after = before.replace(system="Be brief.")
    assert render_messages(after, ask(QuestionKind.CHOICE))[0].content == "Be brief."
    assert after.fingerprint != before.fingerprint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('user: "$question"', r"user does not use \$choices"),
        ('user: "$choices"', r"user does not use \$question"),
        (
            'user: "$question $choices $label"',
            r"user uses \$label, which no question has",
        ),
        (
            'user: "$question $choices $Hint"',
            r"user uses \$Hint, which no question has",
        ),
        (
            'user: "$question $choices"\noptional: [hint]',
            r"optional has \['hint'\], which user does not use",
        ),
        (
            'user: "$question $choices"\nreply_start: "$question"',
            r"reply_start uses \$question, which no question has",
        ),
        ('user: "$question $choices costs $5"', r"user has a lone \$"),
        (
            'user: "$question $choices"\nchoice_line: "$text"',
            r"choice_line does not use \$label",
        ),
        (
            'user: "$question $choices"\nassistant: "$rationale $answer"',
            "assistant and exemplars go together",
        ),
        (
            'user: "$question $choices"\ntemperature: 1',
            "there is no field 'temperature'",
        ),
        (
            'user: "$question $choices"\nkind: number',
            r"uses \$choices, which no question has",
        ),
        ("user: [", "t: not YAML"),
    ],
)
def test_a_template_with_a_fault_is_refused_by_name(change: str, message: str) -> None:
    base = MINIMAL
    if "kind:" in change:
        base = base.replace("kind: choice\n", "")
    text = base.replace('user: "$question\\n$choices"', change)
    with pytest.raises(ConfigError, match=message):
        parse_template(text, "t")


@pytest.mark.parametrize(
    ("exemplar", "message"),
    [
        (
            "{question: q, choices: [a, b], answer: C, rationale: r}",
            "answer 'C', which is not one of its letters",
        ),
        ("{question: q, choices: [a, b], answer: A}", r"exemplars\.0\.rationale"),
    ],
)
def test_an_exemplar_with_a_fault_is_refused(exemplar: str, message: str) -> None:
    text = MINIMAL + f'assistant: "$rationale $answer"\nexemplars:\n  - {exemplar}\n'
    with pytest.raises(ConfigError, match=message):
        parse_template(text, "t")


def test_templates_from_files_and_by_bare_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(MINIMAL)
    assert load_template(str(file)).ref == "mine@1"
    assert load_template("choice_few_shot").ref == "choice_few_shot@1"
    with pytest.raises(ConfigError, match="'nope@1': not known"):
        load_template("nope@1")
    with pytest.raises(ConfigError, match="Pass a readable file"):
        load_template(str(tmp_path / "none.yaml"))


def test_line_heads_are_those_of_the_user_turn_that_no_reply_has() -> None:
    user = '"Text: $question\\n$choices\\nSentiment:"'
    head_of_replies = MINIMAL.replace(
        '"$question\\n$choices"',
        user + '\nassistant: "Text: $rationale\\nSentiment: $answer"'
        "\nexemplars: [{question: q, choices: [x, y], answer: A, rationale: r}]",
    )
    plain = MINIMAL.replace('"$question\\n$choices"', user)
    assert parse_template(plain, "").line_heads == ("text",)
    assert parse_template(head_of_replies, "").line_heads == ()


def test_one_template_a_kind() -> None:
    with pytest.raises(ConfigError, match="are both for kind choice"):
        load_templates(["choice_few_shot@1", "choice_zero_shot@1"])
    chosen = load_templates(["choice_zero_shot@1"])
    assert chosen[QuestionKind.CHOICE].ref == "choice_zero_shot@1"
    assert isinstance(chosen[QuestionKind.TEXT], Template)


# -- inputs ----------------------------------------------------------------------------


def input_template(user: str, **fields: object) -> Template:
    return Template.parse(
        {
            "name": "t",
            "version": 1,
            "kind": "text",
            "about": "t",
            "answer": "last",
            "user": user,
            **fields,
        },
        "t",
    )


HINT = Input(name="hint", text="It is $5.")
PICTURE = Input(name="image", image=IMAGE)


@pytest.mark.parametrize(
    ("user", "optional", "inputs", "turn"),
    [
        ("Hint: $hint\nQ: $question", [], (HINT,), "Hint: It is $5.\nQ: Why?"),
        ("Hint: $hint\nQ: $question", ["hint"], (), "Q: Why?"),
        ("$inputs\nQ: $question", [], (), "Q: Why?"),
        ("$inputs\nQ: $question", [], (HINT,), "Hint: It is $5.\nQ: Why?"),
        (
            "Given: $hint\n$inputs\nQ: $question for $$5",
            [],
            (HINT, Input(name="source_lang", text="Old Norse")),
            "Given: It is $5.\nSource lang: Old Norse\nQ: Why? for $5",
        ),
        ("Q: $question ($hint)", ["hint"], (), "Q: Why? ()"),
    ],
)
def test_a_turn_shows_the_inputs_it_names_and_leaves_out_lines_of_those_not_given(
    user: str, optional: list[str], inputs: tuple[Input, ...], turn: str
) -> None:
    template = input_template(user, optional=optional)
    question = ask(QuestionKind.TEXT, inputs=inputs)
    assert render_messages(template, question)[-1].content == turn


@pytest.mark.parametrize(
    ("user", "before", "after"),
    [
        ("$inputs\nQ: $question", None, "Hint: It is $5.\nQ: Why?"),
        ("Look:\n$image\n$inputs\nQ: $question", "Look:", "Hint: It is $5.\nQ: Why?"),
    ],
)
def test_a_picture_is_a_part_of_its_own(
    user: str, before: str | None, after: str
) -> None:
    question = ask(QuestionKind.TEXT, inputs=(HINT, PICTURE))
    message = render_messages(input_template(user), question)[-1]
    parts = (ImagePart(image=IMAGE), TextPart(text=after))
    expected = parts if before is None else (TextPart(text=before), *parts)
    assert message.content == expected
    assert message.images == (IMAGE,)


def test_a_question_that_lacks_a_needed_input_names_it() -> None:
    template = input_template("Hint: $hint\nQ: $question")
    with pytest.raises(DataError, match=r"no input 'hint'.*--map hint=COLUMN"):
        render_messages(template, ask(QuestionKind.TEXT))


def test_a_reply_that_is_continued_begins_with_the_target() -> None:
    template = load_template("prose_rationalize@1")
    assert template.shows_target
    assert template.gives_target
    last = render_messages(template, ask(QuestionKind.PROSE))[-1]
    assert last.role == "assistant"
    assert last.content == "So it is.\n\nExplanation:"


def test_questions_with_inputs_have_defaults_that_show_them() -> None:
    for purpose in (Purpose.ELICIT, Purpose.RATIONALIZE, Purpose.EVALUATE):
        templates = load_templates([], purpose=purpose, inputs=["hint"])
        assert all(template.shows_all_inputs for template in templates.values())


def test_questions_with_languages_are_translations() -> None:
    inputs = ["target_lang", "source_lang", "document"]
    for purpose, ref in (
        (Purpose.ELICIT, "translation_zero_shot@1"),
        (Purpose.RATIONALIZE, "translation_rationalize@1"),
    ):
        templates = load_templates([], purpose=purpose, inputs=inputs)
        assert templates[QuestionKind.PROSE].ref == ref
        assert templates[QuestionKind.CHOICE].shows_all_inputs


def test_exemplars_may_have_inputs_and_their_lines_are_left_out_without() -> None:
    template = input_template(
        "Hint: $hint\nQ: $question",
        assistant="$rationale So: $answer",
        exemplars=[
            {
                "question": "A?",
                "answer": "b",
                "rationale": "C.",
                "inputs": {"hint": "d"},
            },
            {"question": "E?", "answer": "f", "rationale": "G."},
        ],
    )
    first, _, second, _ = template.opening
    assert first.content == "Hint: d\nQ: A?"
    assert second.content == "Q: E?"
